import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { rankWithinRef } from './rank-within.ref.ts'

const rules = new ShapeRules('rankWithin')

export type RankWithinSlots = { readonly scores: 'in'; readonly count: 'in' }

export interface RankWithinAttrs {
  /** Slots of a stretch; the last one may be shorter. */
  readonly length: number
}

/**
 * Gives every slot its rank within its stretch of neighbours, from 0, over the number of slots in the stretch: the best slots
 * by this number are the same share of every stretch. Stretches are cut in slot order; of equal scores the later slot ranks
 * higher, NaN is lowest.
 * - scores [B, H, cap] f32; count [B, H] i32; slots should be in token order
 * - out [B, H, cap] f32, from 0 to below 1; free slots are copied
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const rankWithin: Op<RankWithinSlots, RankWithinAttrs, 'out'> = {
  name: 'rankWithin',
  source: 'kvpress finch_press.py, chunk_length; LagKV (arXiv:2504.04704) ranks so within its partitions',
  slots: { scores: 'in', count: 'in' },
  outputs: ['out'],
  infer({ scores, count }, { length }) {
    const size = rules.match<'B' | 'H' | 'cap'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('scores', scores, 'f32')
    rules.dtype('count', count, 'i32')
    rules.option(Number.isSafeInteger(length) && length >= 1, `length must be an integer ≥ 1, got ${length}`)
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ length }) => [length],
  reference: rankWithinRef,
  /** Every slot is compared with all of its stretch; counts are data, so all slots are taken as stored. */
  cost({ scores }, { length }) {
    const [B, H, cap] = scores.shape as [number, number, number]
    return { flops: B * H * cap * Math.min(length, cap), bytes: 8 * B * H * cap }
  },
}
