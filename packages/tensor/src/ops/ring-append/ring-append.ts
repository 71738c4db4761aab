import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { ringAppendRef } from './ring-append.ref.ts'

const rules = new ShapeRules('ringAppend')

export type RingAppendSlots = { readonly q: 'in'; readonly index: 'in'; readonly ring: 'inout' }

/**
 * Keeps the queries of the last w tokens: the query of token `index` goes to row `index mod w`. Of a chunk longer than w
 * only the last w queries are written.
 * - q [B, C, Hq, D] f32, outer axes may be strided; index [B, C] i32, consecutive
 * - ring [B, w, Hq, D] f32
 * @throws TRIMKV_INVARIANT when an index is negative
 */
export const ringAppend: Op<RingAppendSlots, Record<never, never>, never> = {
  name: 'ringAppend',
  source: 'SnapKV (arXiv:2404.14469), observation window; R-KV (arXiv:2505.24133) at decode time',
  slots: { q: 'in', index: 'in', ring: 'inout' },
  outputs: [],
  infer({ q, index, ring }) {
    const size = rules.match<'B' | 'C' | 'Hq' | 'D' | 'w'>('q', q, ['B', 'C', 'Hq', 'D'])
    rules.with(size).match('index', index, ['B', 'C'])
    rules.with(size).match('ring', ring, ['B', 'w', 'Hq', 'D'])
    rules.shape(size.w > 0, 'ring has no rows')
    rules.dtype('q', q, 'f32')
    rules.dtype('index', index, 'i32')
    rules.dtype('ring', ring, 'f32')
    return {}
  },
  scalars: () => [],
  reference: ringAppendRef,
}
