import type { Gradient } from '../../gradient.ts'
import type { SwigluSlots } from './swiglu.ts'

/** dgate = dy · up · silu′(gate), dup = dy · silu(gate): one pass gives both. */
export const swigluGrad: Gradient<SwigluSlots, Record<never, never>, 'out'> = ({ ops, inputs, grads }) => {
  const { dGate, dUp } = ops.swigluGrad({ gate: inputs.gate, up: inputs.up, dy: grads.out })
  return { gate: dGate, up: dUp }
}
