import { fail } from '@trimkv/tensor'
import type { SeatRange } from './slot-set.ts'
import {
  checkRequest,
  commonPin,
  type EvictionRules,
  type RaggedRules,
  refuseOverflow,
  type SeatState,
  type StepPlan,
  type StepRequest,
} from './step-plan.ts'

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

/** Mean of the slots of all heads. */
export const meanSlots = (heads: readonly number[]): number => sum(heads) / heads.length

/** Totals of consecutive groups of heads. */
export const groupTotals = (heads: readonly number[], group: number): number[] =>
  Array.from({ length: heads.length / group }, (_, i) => sum(heads.slice(i * group, (i + 1) * group)))

/** A seat that has read more tokens and dropped none of them. */
function appended(seat: SeatState, newTokens: number): SeatState {
  const heads = seat.heads!.map((n) => n + newTokens)
  return { ...seat, seen: seat.seen + newTokens, stored: meanSlots(heads), heads }
}

/** Where a prompt decides what layers keep, they are cut as soon as they hold more. */
function triggersFor(rules: RaggedRules, budgets: readonly number[] | undefined): readonly number[] {
  if (!budgets) return rules.triggers
  const perLayer = rules.triggers.length / budgets.length
  return rules.triggers.map((_, head) => budgets[Math.floor(head / perLayer)]! + 1)
}

function isDue(
  { afterPromptOnly }: EvictionRules,
  { group, triggers, everyTokens }: RaggedRules,
  { before, after }: { before: SeatState; after: SeatState },
): boolean {
  if (afterPromptOnly && before.seen > 0) return false
  const passed = everyTokens && Math.floor(after.seen / everyTokens) > Math.floor(before.seen / everyTokens)
  return passed || groupTotals(after.heads!, group).some((total, i) => total >= triggers[i]!)
}

/** Slots that a forward looks at: few sizes, so that few programs are recorded, and whole pages. */
function windowFor(slots: number, rules: EvictionRules, { pageSlots }: RaggedRules): number {
  let window = pageSlots
  while (window < slots) window *= 2
  return Math.min(window, rules.slots)
}

/**
 * Decides what a forward will do where heads keep different numbers of slots. New tokens always go into the arena.
 * @param before states of the seats in `range`
 * @throws TRIMKV_OPTION, TRIMKV_POSITION_LIMIT when a head has no room for the tokens, TRIMKV_UNSUPPORTED
 * when sequences pin different numbers of tokens
 */
export function planRagged(
  rules: EvictionRules,
  before: readonly SeatState[],
  request: StepRequest & { readonly seats: SeatRange },
): StepPlan {
  const { ragged } = rules
  if (!ragged) fail('TRIMKV_INVARIANT', 'all heads of this cache keep the same number of slots')
  checkRequest(rules, before, request)
  const { newTokens, seats } = request
  const most = Math.max(...before.flatMap((seat) => seat.heads!))
  if (most + newTokens > rules.slots) refuseOverflow(rules.slots, most, newTokens)
  const after = before.map((seat) => appended(seat, newTokens))
  const pinned = commonPin(before)
  const budgets = ragged.layerBudgets?.({ tokens: newTokens, pinned })
  const triggers = triggersFor(ragged, rules.afterPromptOnly ? budgets : undefined)
  const due = before.map((seat, i) =>
    isDue(rules, { ...ragged, triggers }, { before: seat, after: after[i]! }),
  )
  const window = windowFor(most + newTokens, rules, ragged)
  const layerBudgets = due.some(Boolean) ? budgets : undefined
  const key = [
    `seats ${seats.first}+${seats.count}`,
    `new ${newTokens}`,
    `window ${window}`,
    ...(layerBudgets ? [`keep ${layerBudgets.join(' ')}`] : []),
    ...(pinned > 0 ? [`pinned ${pinned}`] : []),
    ...(due.some(Boolean) ? [`due ${due.map(Number).join('')}`] : []),
  ].join(', ')
  return {
    key,
    seats,
    newTokens,
    due,
    pinned,
    scratchSlots: 0,
    window,
    layerBudgets,
    before: [...before],
    after,
  }
}
