import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { occupancyGradRef } from './occupancy-grad.ref.ts'

const rules = new ShapeRules('occupancyGrad')

export type OccupancyGradSlots = { readonly logBeta: 'in'; readonly start: 'optional'; readonly dy: 'in' }

/**
 * Gradient of `occupancy`: `out[i] = Σ dy[t] · (t − i) · exp((t − i) · logBeta[i])` over t ≥ i with `start[t] ≤ i`.
 * - logBeta, dy [B, T, H] f32; start [B, T] i32, as in `occupancy`
 * - out [B, T, H] f32; terms with `exp(…)` below 1e-12 may be left out
 * @throws TRIMKV_INVARIANT at run time unless starts never fall along a row and 0 ≤ start[t] ≤ t
 */
export const occupancyGrad: Op<OccupancyGradSlots, Record<never, never>, 'out'> = {
  name: 'occupancyGrad',
  source: 'derivative of occupancy by logBeta',
  slots: { logBeta: 'in', start: 'optional', dy: 'in' },
  outputs: ['out'],
  infer({ logBeta, start, dy }) {
    const size = rules.match<'B' | 'T' | 'H'>('logBeta', logBeta, ['B', 'T', 'H'])
    rules.with(size).match('dy', dy, ['B', 'T', 'H'])
    rules.dtype('logBeta', logBeta, 'f32')
    rules.dtype('dy', dy, 'f32')
    if (start) {
      rules.with(size).match('start', start, ['B', 'T'])
      rules.dtype('start', start, 'i32')
    }
    return { out: { dtype: 'f32', shape: [size.B, size.T, size.H] } }
  },
  scalars: () => [],
  reference: occupancyGradRef,
  cost({ logBeta }) {
    const [batch, length, heads] = logBeta.shape as [number, number, number]
    return { flops: 2.5 * batch * heads * length * (length + 1), bytes: 12 * batch * length * heads }
  },
}
