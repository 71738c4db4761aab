import type { ShapeRules } from './shape-rules.ts'

/**
 * How a stored slot is rated; larger is kept. All arithmetic is f32, so that every device takes the same decisions:
 * - `recency`: the token's index
 * - `decay`: `f32(seen − 1 + ageOffset − index) · columnA` (+ columnB): the difference in integers, one f32 multiply,
 *   one f32 add. `ageOffset` is the age of the newest token.
 * - `column`: columnA (+ columnB)
 *
 * NaN rates as −∞.
 */
export type SlotScore =
  | { readonly kind: 'recency' }
  | { readonly kind: 'decay'; readonly ageOffset: number }
  | { readonly kind: 'column' }

const kindIds = { recency: 0, decay: 1, column: 2 } as const

/** Native form of a score: kind, age offset. */
export const slotScoreScalars = (score: SlotScore): readonly [number, number] => [
  kindIds[score.kind],
  score.kind === 'decay' ? score.ageOffset : 0,
]

/** @throws TRIMKV_OPTION when the age offset is no integer */
export function checkSlotScore(rules: ShapeRules, score: SlotScore): void {
  const whole = score.kind !== 'decay' || Number.isSafeInteger(score.ageOffset)
  rules.option(whole, 'ageOffset must be an integer')
}

/** What a score may look at: one slot and the length of its sequence. Missing columns are left out. */
export interface RatedSlot {
  readonly index: number
  readonly seen: number
  readonly columnA: number | undefined
  readonly columnB: number | undefined
}

/** Rates one slot with the bits of the native code (products and sums of two f32 are exact before one rounding). */
export function rateSlot(score: SlotScore, slot: RatedSlot): number {
  if (score.kind === 'recency') return Math.fround(slot.index)
  const column = Math.fround(slot.columnA ?? 0)
  const age = score.kind === 'decay' ? Math.fround(slot.seen - 1 + score.ageOffset - slot.index) : 1
  const product = Math.fround(age * column)
  const value = slot.columnB === undefined ? product : Math.fround(product + Math.fround(slot.columnB))
  return Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value
}

/** Sinks and recent tokens, by index in the text and never by slot. */
export interface ProtectedRange {
  readonly first: number
  readonly last: number
}

/** Whether the token at `index` is one of the first `first` or of the last `last` of `seen` tokens. */
export const isProtected = (range: ProtectedRange, index: number, seen: number): boolean =>
  index < range.first || index >= seen - range.last
