import type { Gradient } from '../../gradient.ts'
import type { RopeAttrs, RopeSlots } from './rope.ts'

/** A rotation is undone by its transpose: the gradient is rotated back with the same table. */
export const ropeGrad: Gradient<RopeSlots, RopeAttrs, 'out'> = ({ ops, inputs, grads, attrs, wants }) => ({
  x: wants('x') ? ops.rope({ x: grads.out, table: inputs.table }, { inverse: !attrs.inverse }) : undefined,
})
