import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { occupancyRef } from './occupancy.ref.ts'

const rules = new ShapeRules('occupancy')

export type OccupancySlots = { readonly logBeta: 'in'; readonly start: 'optional' }

/**
 * Soft number of tokens a head holds: `S[t] = Σ exp((t − i) · logBeta[i])` over `start[t] ≤ i ≤ t`; token t itself counts 1.
 * - logBeta [B, T, H] f32, ≤ 0; start [B, T] i32: index of the first token of t's document, 0 where left out
 * - out [B, T, H] f32, relative error ≤ 1e-5; terms below 1e-12 may be left out
 * @throws TRIMKV_INVARIANT at run time unless starts never fall along a row and 0 ≤ start[t] ≤ t
 */
export const occupancy: Op<OccupancySlots, Record<never, never>, 'out'> = {
  name: 'occupancy',
  source: 'TRIM-KV (arXiv:2512.03324), capacity loss, the sum inside',
  slots: { logBeta: 'in', start: 'optional' },
  outputs: ['out'],
  infer({ logBeta, start }) {
    const size = rules.match<'B' | 'T' | 'H'>('logBeta', logBeta, ['B', 'T', 'H'])
    rules.dtype('logBeta', logBeta, 'f32')
    if (start) {
      rules.with(size).match('start', start, ['B', 'T'])
      rules.dtype('start', start, 'i32')
    }
    return { out: { dtype: 'f32', shape: [size.B, size.T, size.H] } }
  },
  scalars: () => [],
  reference: occupancyRef,
  cost({ logBeta }) {
    const [batch, length, heads] = logBeta.shape as [number, number, number]
    return { flops: batch * heads * length * (length + 1), bytes: 8 * batch * length * heads }
  },
}
