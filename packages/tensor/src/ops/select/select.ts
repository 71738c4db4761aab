import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { selectRef } from './select.ref.ts'

const rules = new ShapeRules('select')

export type SelectSlots = {
  readonly scores: 'in'
  readonly slotIndex: 'in'
  readonly count: 'in'
  readonly quota: 'optional'
}

/**
 * The one selection rule: per head the slots of the `budget` largest (score, index) pairs. NaN counts as −∞; of equal
 * scores the newer token stays.
 * - scores [B, H, cap] f32; slotIndex [B, H, cap], count [B, H] i32
 * - quota [B, H] i32 ≥ 0: a head keeps no more than this many; without it all heads keep up to `budget`
 * - out [B, H, budget] i32: slots, ascending; −1 at the end where fewer are stored
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap or a quota is negative
 */
export const select: Op<SelectSlots, { readonly budget: number }, 'out'> = {
  name: 'select',
  source: 'top-k as in every eviction method; tie order is ours',
  slots: { scores: 'in', slotIndex: 'in', count: 'in', quota: 'optional' },
  outputs: ['out'],
  infer({ scores, slotIndex, count, quota }, { budget }) {
    const size = rules.match<'B' | 'H' | 'cap'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('scores', scores, 'f32')
    rules.dtype('slotIndex', slotIndex, 'i32')
    rules.dtype('count', count, 'i32')
    if (quota) {
      rules.with(size).match('quota', quota, ['B', 'H'])
      rules.dtype('quota', quota, 'i32')
    }
    rules.option(Number.isInteger(budget) && budget > 0, `budget must be a positive integer, got ${budget}`)
    return { out: { dtype: 'i32', shape: [size.B, size.H, budget] } }
  },
  scalars: ({ budget }) => [budget],
  reference: selectRef,
}
