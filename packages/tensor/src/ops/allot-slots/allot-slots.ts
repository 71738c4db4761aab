import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { allotSlotsRef } from './allot-slots.ref.ts'

const rules = new ShapeRules('allotSlots')

export type AllotSlotsSlots = { readonly scores: 'in'; readonly slotIndex: 'in'; readonly count: 'in' }

/**
 * What a head is given beside what its slots win in the pool of P · M slots (M = `budget`); p slots of a head have +∞:
 * - `none`: nothing
 * - `top`: its `slots` best ones win before all others; the total stays the same (kvpress AdaKV)
 * - `least`: `slots` more than it wins in a pool of P · (M − slots) (DBTrimKV)
 * - `mix`: of its w wins, p + round((w − p)(1 − share) + ⌊share · (M − p)⌋), half to even (AdaKV's safeguard)
 */
export type HeadFloor =
  | { readonly kind: 'none' }
  | { readonly kind: 'top' | 'least'; readonly slots: number }
  | { readonly kind: 'mix'; readonly share: number }

export interface AllotSlotsAttrs {
  /** Slots per head on average. */
  readonly budget: number
  /** A sequence that stores fewer slots in all keeps what it has. */
  readonly trigger: number
  readonly floor: HeadFloor
  /** Slots rated below it win nothing, but for the slots a floor of kind `top` or `least` gives; −∞ for no threshold. */
  readonly threshold: number
}

const floorIds = { none: 0, top: 1, least: 2, mix: 3 } as const

function floorValue(floor: HeadFloor): number {
  if (floor.kind === 'none') return 0
  return floor.kind === 'mix' ? floor.share : floor.slots
}

/**
 * Divides a budget over heads that compete for it: per sequence the P · `budget` best slots of all heads, counted per
 * head. Of equal scores the newer token wins, then the head that comes first.
 * - scores [B, P, cap] f32, NaN counts as −∞, protected slots have +∞; slotIndex [B, P, cap], count [B, P] i32
 * - out [B, P] i32: slots each head may keep, at most `count`
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const allotSlots: Op<AllotSlotsSlots, AllotSlotsAttrs, 'out'> = {
  name: 'allotSlots',
  source: 'AdaKV (arXiv:2407.11550), Algorithm 1; DBTrimKV (arXiv:2605.09649); tie order is ours',
  slots: { scores: 'in', slotIndex: 'in', count: 'in' },
  outputs: ['out'],
  infer({ scores, slotIndex, count }, { budget, trigger, floor, threshold }) {
    const size = rules.match<'B' | 'P' | 'cap'>('scores', scores, ['B', 'P', 'cap'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'P', 'cap'])
    rules.with(size).match('count', count, ['B', 'P'])
    rules.dtype('scores', scores, 'f32')
    rules.dtype('slotIndex', slotIndex, 'i32')
    rules.dtype('count', count, 'i32')
    rules.option(Number.isSafeInteger(budget) && budget > 0, `budget must be an integer ≥ 1, got ${budget}`)
    rules.option(
      Number.isSafeInteger(trigger) && trigger >= 0,
      `trigger must be an integer ≥ 0, got ${trigger}`,
    )
    rules.option(!Number.isNaN(threshold), 'threshold must be a number')
    if (floor.kind === 'mix') {
      const { share } = floor
      rules.option(share >= 0 && share <= 1, `share must be a number from 0 to 1, got ${share}`)
    } else if (floor.kind !== 'none') {
      const { slots } = floor
      const fits = Number.isSafeInteger(slots) && slots >= 0 && slots <= budget
      rules.option(fits, `slots must be an integer from 0 to the budget of ${budget}, got ${slots}`)
    }
    return { out: { dtype: 'i32', shape: [size.B, size.P] } }
  },
  scalars: ({ budget, trigger, floor, threshold }) => [
    budget,
    trigger,
    floorIds[floor.kind],
    floorValue(floor),
    threshold,
  ],
  reference: allotSlotsRef,
}
