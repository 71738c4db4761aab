import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { countKeptRef } from './count-kept.ref.ts'

const rules = new ShapeRules('countKept')

export type CountKeptSlots = { readonly kept: 'in'; readonly count: 'inout' }

/**
 * Ends a compaction: `count` becomes the number of slots that were kept.
 * - kept [B, H, budget] i32 as `select` returns it; count [B, H] i32
 */
export const countKept: Op<CountKeptSlots, Record<never, never>, never> = {
  name: 'countKept',
  source: 'TRIM-KV code, cache compression',
  slots: { kept: 'in', count: 'inout' },
  outputs: [],
  infer({ kept, count }) {
    const size = rules.match<'B' | 'H' | 'budget'>('kept', kept, ['B', 'H', 'budget'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('kept', kept, 'i32')
    rules.dtype('count', count, 'i32')
    return {}
  },
  scalars: () => [],
  reference: countKeptRef,
}
