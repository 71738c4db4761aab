import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { compactRef } from './compact.ref.ts'

const rules = new ShapeRules('compact')

export type CompactSlots = { readonly kept: 'in'; readonly count: 'in'; readonly data: 'inout' }

export interface CompactAttrs {
  /**
   * true: slot j receives the j-th survivor, so order is kept. false: survivors among the first m stay (m = number kept),
   * the j-th hole there receives the j-th survivor from beyond; few rows move.
   */
  readonly ordered: boolean
}

/**
 * Moves the surviving rows of one slot table to the front of it. Rows beyond stay as they are.
 * - kept [B, H, budget] i32 as `select` returns it; count [B, H] i32, still the number stored before
 * - data [B, H, cap, W] or [B, H, cap] of any dtype; rows may be strided
 * @throws TRIMKV_INVARIANT when kept is not ascending or names a slot outside 0 … count−1
 */
export const compact: Op<CompactSlots, CompactAttrs, never> = {
  name: 'compact',
  source: 'TRIM-KV code, cache compression; hole filling is ours',
  slots: { kept: 'in', count: 'in', data: 'inout' },
  outputs: [],
  infer({ kept, count, data }) {
    const size = rules.match<'B' | 'H' | 'budget' | 'cap' | 'W'>('kept', kept, ['B', 'H', 'budget'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.with(size).match('data', data, data.shape.length === 3 ? ['B', 'H', 'cap'] : ['B', 'H', 'cap', 'W'])
    rules.dtype('kept', kept, 'i32')
    rules.dtype('count', count, 'i32')
    return {}
  },
  scalars: ({ ordered }) => [ordered ? 1 : 0],
  reference: compactRef,
}
