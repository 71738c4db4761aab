import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { columnAppendRef } from './column-append.ref.ts'

const rules = new ShapeRules('columnAppend')

export type ColumnAppendSlots = { readonly values: 'in'; readonly slots: 'in'; readonly column: 'inout' }

/**
 * Stores one number per new token and head beside the keys: `column[b, h, slots[b, c, h]] = values[b, c, h]`.
 * - values [B, C, H] f32, may be strided; slots [B, C, H] i32 as `kvAppend` returns them
 * - column [B, H, cap] f32
 * @throws TRIMKV_INVARIANT when a slot lies outside 0 … cap−1
 */
export const columnAppend: Op<ColumnAppendSlots, Record<never, never>, never> = {
  name: 'columnAppend',
  source: 'TRIM-KV (arXiv:2512.03324), Algorithm 1: log β travels with its token',
  slots: { values: 'in', slots: 'in', column: 'inout' },
  outputs: [],
  infer({ values, slots, column }) {
    const size = rules.match<'B' | 'C' | 'H' | 'cap'>('values', values, ['B', 'C', 'H'])
    rules.with(size).match('slots', slots, ['B', 'C', 'H'])
    rules.with(size).match('column', column, ['B', 'H', 'cap'])
    rules.dtype('values', values, 'f32')
    rules.dtype('slots', slots, 'i32')
    rules.dtype('column', column, 'f32')
    return {}
  },
  scalars: () => [],
  reference: columnAppendRef,
}
