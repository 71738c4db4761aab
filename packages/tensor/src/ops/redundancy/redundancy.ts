import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { redundancyRef } from './redundancy.ref.ts'

const rules = new ShapeRules('redundancy')

export type RedundancySlots = { readonly keys: 'in'; readonly count: 'in' }

/**
 * How much each stored key repeats others: `softmax_j((1/n) Σ_i C_ij)` over cosine similarities `C` with zero diagonal,
 * where each row's last entry above `threshold` is set to 0 first (column 0 when a row has none), so that the newest of
 * several near duplicates is not charged.
 * - keys [B, H, cap, D] f32 | bf16 | f16 | f8; count [B, H] i32
 * - out [B, H, cap] f32, sums to 1 over the stored slots; 0 for free slots; sums are taken in f64; O(n²·D) per head
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const redundancy: Op<RedundancySlots, { readonly threshold: number }, 'out'> = {
  name: 'redundancy',
  source: 'R-KV (arXiv:2505.24133); R-KV repository, cal_similarity',
  slots: { keys: 'in', count: 'in' },
  outputs: ['out'],
  infer({ keys, count }, { threshold }) {
    const size = rules.match<'B' | 'H' | 'cap' | 'D'>('keys', keys, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('keys', keys, ...floatDtypes)
    rules.dtype('count', count, 'i32')
    rules.option(
      threshold >= 0 && Number.isFinite(threshold),
      `threshold must be a number ≥ 0, got ${threshold}`,
    )
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ threshold }) => [threshold],
  reference: redundancyRef,
  cost({ keys }) {
    const [B, H, cap, D] = keys.shape as [number, number, number, number]
    return { flops: 2 * B * H * cap * cap * D, bytes: B * H * cap * D * (keys.dtype === 'f32' ? 4 : 2) }
  },
}
