import type { Gradient } from '../../gradient.ts'
import type { OccupancySlots } from './occupancy.ts'

/** Formula stands with `occupancyGrad`. */
export const occupancyGrad: Gradient<OccupancySlots, Record<never, never>, 'out'> = ({
  ops,
  inputs,
  grads,
}) => ({
  logBeta: ops.occupancyGrad({ ...inputs, dy: grads.out }),
})
