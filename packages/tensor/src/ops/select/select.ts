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

export interface SelectAttrs {
  /** Slots per head at most. */
  readonly budget: number
  /** A head with a quota of q keeps ⌊share · q⌋, but `least` where its quota has room for them; default all of it. */
  readonly part?: { readonly share: number; readonly least: number }
}

const whole = { share: 1, least: 0 } as const

/**
 * The one selection rule: per head the slots of the `budget` largest (score, index) pairs. NaN counts as −∞; of equal
 * scores the newer token stays.
 * - scores [B, H, cap] f32; slotIndex [B, H, cap], count [B, H] i32
 * - quota [B, H] i32 ≥ 0: a head keeps no more than this many; without it all heads keep up to `budget`
 * - out [B, H, budget] i32: slots, ascending; −1 at the end where fewer are stored
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap or a quota is negative
 */
export const select: Op<SelectSlots, SelectAttrs, 'out'> = {
  name: 'select',
  source: 'top-k as in every eviction method; tie order is ours',
  slots: { scores: 'in', slotIndex: 'in', count: 'in', quota: 'optional' },
  outputs: ['out'],
  infer({ scores, slotIndex, count, quota }, { budget, part = whole }) {
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
    const { share, least } = part
    rules.option(share >= 0 && share <= 1, `share must be a number from 0 to 1, got ${share}`)
    rules.option(Number.isSafeInteger(least) && least >= 0, `least must be an integer ≥ 0, got ${least}`)
    return { out: { dtype: 'i32', shape: [size.B, size.H, budget] } }
  },
  scalars: ({ budget, part: { share, least } = whole }) => [budget, share, least],
  reference: selectRef,
}
