import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { checkSlotScore, type SlotScore, slotScoreScalars } from '../../slot-score.ts'
import { slotScoresRef } from './slot-scores.ref.ts'

const rules = new ShapeRules('slotScores')

export type SlotScoresSlots = {
  readonly count: 'in'
  readonly slotIndex: 'in'
  readonly seen: 'in'
  readonly columnA: 'optional'
  readonly columnB: 'optional'
}

/**
 * Rates every stored slot as the victim search of `attention` does; free slots get −∞.
 * - count [B, H], slotIndex [B, H, cap], seen [B] i32; columnA, columnB [B, H, cap] f32
 * - out [B, H, cap] f32, bits defined by {@link SlotScore}
 * @throws TRIMKV_SHAPE when the score needs columnA and it is missing; TRIMKV_INVARIANT when a count is not in 0 … cap
 */
export const slotScores: Op<SlotScoresSlots, { readonly score: SlotScore }, 'out'> = {
  name: 'slotScores',
  source: 'TRIM-KV (arXiv:2512.03324), Algorithm 1 in logarithms',
  slots: { count: 'in', slotIndex: 'in', seen: 'in', columnA: 'optional', columnB: 'optional' },
  outputs: ['out'],
  infer({ count, slotIndex, seen, columnA, columnB }, { score }) {
    const size = rules.match<'B' | 'H' | 'cap'>('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.with(size).match('seen', seen, ['B'])
    for (const [name, table] of Object.entries({ count, slotIndex, seen })) rules.dtype(name, table, 'i32')
    for (const [name, column] of Object.entries({ columnA, columnB })) {
      if (!column) continue
      rules.with(size).match(name, column, ['B', 'H', 'cap'])
      rules.dtype(name, column, 'f32')
    }
    rules.shape(score.kind === 'recency' || columnA !== undefined, `score ${score.kind} needs columnA`)
    checkSlotScore(rules, score)
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ score }) => slotScoreScalars(score),
  reference: slotScoresRef,
}
