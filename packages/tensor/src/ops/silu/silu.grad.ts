import type { Gradient } from '../../gradient.ts'
import type { SiluSlots } from './silu.ts'

/** dx = dy · silu′(x). */
export const siluGrad: Gradient<SiluSlots, Record<never, never>, 'out'> = ({ ops, inputs, grads }) => ({
  x: ops.siluGrad({ x: inputs.x, dy: grads.out }),
})
