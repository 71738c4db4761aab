import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import type { ProtectedRange } from '../../slot-score.ts'
import { protectRef } from './protect.ref.ts'

const rules = new ShapeRules('protect')

export type ProtectSlots = {
  readonly scores: 'inout'
  readonly slotIndex: 'in'
  readonly count: 'in'
  readonly seen: 'in'
}

/**
 * Sets the scores of the first `first` and last `last` tokens of the text to +∞, wherever they are stored.
 * - scores [B, H, cap] f32; slotIndex [B, H, cap], count [B, H], seen [B] i32
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const protect: Op<ProtectSlots, ProtectedRange, never> = {
  name: 'protect',
  source: 'StreamingLLM (arXiv:2309.17453): sinks and recent tokens',
  slots: { scores: 'inout', slotIndex: 'in', count: 'in', seen: 'in' },
  outputs: [],
  infer({ scores, slotIndex, count, seen }, { first, last }) {
    const size = rules.match<'B' | 'H' | 'cap'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.with(size).match('seen', seen, ['B'])
    rules.dtype('scores', scores, 'f32')
    for (const [name, table] of Object.entries({ slotIndex, count, seen })) rules.dtype(name, table, 'i32')
    const whole = [first, last].every((n) => Number.isSafeInteger(n) && n >= 0)
    rules.option(whole, `first and last must be integers ≥ 0, got ${first} and ${last}`)
    return {}
  },
  scalars: ({ first, last }) => [first, last],
  reference: protectRef,
}
