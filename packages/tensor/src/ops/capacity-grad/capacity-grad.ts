import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { type CapacityAttrs, capacityScalars } from '../capacity/capacity.ts'
import { capacityGradRef } from './capacity-grad.ref.ts'

const rules = new ShapeRules('capacityGrad')

export type CapacityGradSlots = {
  readonly occupancy: 'in'
  readonly start: 'optional'
  readonly active: 'in'
  readonly dLoss: 'in'
}

/**
 * Gradient of the loss of `capacity` by its occupancies; the number of active terms counts as a constant.
 * - occupancy [B, T, X] f32, start [B, T] i32, attributes: as in `capacity`
 * - active [1] f32, from `capacity`; dLoss [1] f32
 * - out [B, T, X] f32, 0 where nothing is above its budget
 * @throws TRIMKV_INVARIANT at run time unless starts never fall along a row and 0 ≤ start[t] ≤ t
 */
export const capacityGrad: Op<CapacityGradSlots, CapacityAttrs, 'out'> = {
  name: 'capacityGrad',
  source: 'derivative of capacity by occupancy',
  slots: { occupancy: 'in', start: 'optional', active: 'in', dLoss: 'in' },
  outputs: ['out'],
  infer({ occupancy, start, active, dLoss }, { budget }) {
    const size = rules.match<'B' | 'T' | 'X'>('occupancy', occupancy, ['B', 'T', 'X'])
    rules.match('active', active, [1])
    rules.match('dLoss', dLoss, [1])
    rules.dtype('occupancy', occupancy, 'f32')
    rules.dtype('active', active, 'f32')
    rules.dtype('dLoss', dLoss, 'f32')
    if (start) {
      rules.with(size).match('start', start, ['B', 'T'])
      rules.dtype('start', start, 'i32')
    }
    rules.option(budget > 0 && Number.isFinite(budget), `budget must be a positive number, got ${budget}`)
    return { out: { dtype: 'f32', shape: [size.B, size.T, size.X] } }
  },
  scalars: capacityScalars,
  reference: capacityGradRef,
}
