import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import type { ProtectedRange } from '../../slot-score.ts'
import { weighHeadsRef } from './weigh-heads.ref.ts'

const rules = new ShapeRules('weighHeads')

export type WeighHeadsSlots = {
  readonly scores: 'in'
  readonly slotIndex: 'in'
  readonly count: 'in'
  readonly seen: 'in'
}

/** Tokens in the range do not count. */
export interface WeighHeadsAttrs extends ProtectedRange {
  /** Slots of a head whose scores are held against those of all. */
  readonly slots: number
}

/**
 * Multiplies the scores of a head by the share of its total that its best `slots` slots have, so that heads whose scores
 * gather on few tokens weigh more among others. A head without such a share (nothing counts, a total of 0, scores that are
 * not finite) is copied.
 * - scores [B, H, cap] f32; slotIndex [B, H, cap], count [B, H], seen [B] i32
 * - out [B, H, cap] f32; free slots are copied
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const weighHeads: Op<WeighHeadsSlots, WeighHeadsAttrs, 'out'> = {
  name: 'weighHeads',
  source: 'FFY0/AdaKV snapkv_utils.py, normalize',
  slots: { scores: 'in', slotIndex: 'in', count: 'in', seen: 'in' },
  outputs: ['out'],
  infer({ scores, slotIndex, count, seen }, { slots, first, last }) {
    const size = rules.match<'B' | 'H' | 'cap'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.with(size).match('seen', seen, ['B'])
    rules.dtype('scores', scores, 'f32')
    for (const [name, table] of Object.entries({ slotIndex, count, seen })) rules.dtype(name, table, 'i32')
    const whole = [slots, first, last].every((n) => Number.isSafeInteger(n) && n >= 0)
    rules.option(whole, `slots, first and last must be integers ≥ 0, got ${slots}, ${first} and ${last}`)
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ slots, first, last }) => [slots, first, last],
  reference: weighHeadsRef,
}
