import type { Gradient } from '../../gradient.ts'
import type { CapacityAttrs, CapacitySlots } from './capacity.ts'

/** The number of active entries counts as a constant: no gradient comes in through `active`. */
export const capacityGrad: Gradient<CapacitySlots, CapacityAttrs, 'loss' | 'active'> = ({
  ops,
  inputs,
  outputs,
  grads,
  attrs,
}) => {
  const dLoss = grads.loss ?? ops.zeros({ dtype: 'f32', shape: [1] })
  return { occupancy: ops.capacityGrad({ ...inputs, active: outputs.active, dLoss }, attrs) }
}
