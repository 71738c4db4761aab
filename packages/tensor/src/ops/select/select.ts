import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { selectRef } from './select.ref.ts'

const rules = new ShapeRules('select')

export type SelectSlots = { readonly scores: 'in'; readonly slotIndex: 'in'; readonly count: 'in' }

/**
 * The one selection rule: per head the slots of the `budget` largest (score, index) pairs. NaN counts as −∞; of equal
 * scores the newer token stays.
 * - scores [B, H, cap] f32; slotIndex [B, H, cap], count [B, H] i32
 * - out [B, H, budget] i32: slots, ascending; −1 at the end where fewer are stored
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const select: Op<SelectSlots, { readonly budget: number }, 'out'> = {
  name: 'select',
  source: 'top-k as in every eviction method; tie order is ours',
  slots: { scores: 'in', slotIndex: 'in', count: 'in' },
  outputs: ['out'],
  infer({ scores, slotIndex, count }, { budget }) {
    const size = rules.match<'B' | 'H' | 'cap'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('scores', scores, 'f32')
    rules.dtype('slotIndex', slotIndex, 'i32')
    rules.dtype('count', count, 'i32')
    rules.option(Number.isInteger(budget) && budget > 0, `budget must be a positive integer, got ${budget}`)
    return { out: { dtype: 'i32', shape: [size.B, size.H, budget] } }
  },
  scalars: ({ budget }) => [budget],
  reference: selectRef,
}
