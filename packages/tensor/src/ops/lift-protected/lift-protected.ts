import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import type { ProtectedRange } from '../../slot-score.ts'
import { liftProtectedRef } from './lift-protected.ref.ts'

const rules = new ShapeRules('liftProtected')

export type LiftProtectedSlots = {
  readonly scores: 'in'
  readonly slotIndex: 'in'
  readonly count: 'in'
  readonly seen: 'in'
}

/**
 * Gives the first `first` and last `last` tokens of the text 1 more than the largest score of any other token of the
 * sequence, over all heads (1 where there is no other): finite, so that sums and means of scores can follow.
 * - scores [B, H, cap] f32; slotIndex [B, H, cap], count [B, H], seen [B] i32
 * - out [B, H, cap] f32; free slots are copied
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const liftProtected: Op<LiftProtectedSlots, ProtectedRange, 'out'> = {
  name: 'liftProtected',
  source: 'kvpress snapkv_press.py and expected_attention_press.py: windows and sinks are rated max + 1',
  slots: { scores: 'in', slotIndex: 'in', count: 'in', seen: 'in' },
  outputs: ['out'],
  infer({ scores, slotIndex, count, seen }, { first, last }) {
    const size = rules.match<'B' | 'H' | 'cap'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.with(size).match('seen', seen, ['B'])
    rules.dtype('scores', scores, 'f32')
    for (const [name, table] of Object.entries({ slotIndex, count, seen })) rules.dtype(name, table, 'i32')
    const whole = [first, last].every((n) => Number.isSafeInteger(n) && n >= 0)
    rules.option(whole, `first and last must be integers ≥ 0, got ${first} and ${last}`)
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ first, last }) => [first, last],
  reference: liftProtectedRef,
}
