import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { clearSlotsRef } from './clear-slots.ref.ts'

const rules = new ShapeRules('clearSlots')

export type ClearSlotsSlots = { readonly count: 'in'; readonly data: 'inout' }

/**
 * Sets the slots past `count` to zero. Whole pages among them go back to the operating system, which provides zeros again
 * when they are next touched: this is how memory of a head becomes free for others.
 * - count [B, H] i32; data [B, H, cap, W] or [B, H, cap] of any dtype; rows may be strided
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const clearSlots: Op<ClearSlotsSlots, Record<never, never>, never> = {
  name: 'clearSlots',
  source: 'madvise(2), MADV_DONTNEED',
  slots: { count: 'in', data: 'inout' },
  outputs: [],
  infer({ count, data }) {
    const row = data.shape.length === 3 ? [] : (['W'] as const)
    const size = rules.match<'B' | 'H' | 'cap' | 'W'>('data', data, ['B', 'H', 'cap', ...row])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('count', count, 'i32')
    return {}
  },
  scalars: () => [],
  reference: clearSlotsRef,
}
