import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { shareHeadsRef } from './share-heads.ref.ts'

const rules = new ShapeRules('shareHeads')

export type ShareHeadsSlots = { readonly scores: 'in'; readonly count: 'in' }

/**
 * Gives all heads of a sequence the same scores: the mean over heads, slot by slot. All heads must store the same tokens
 * in the same slots.
 * - scores [B, H, cap] f32; count [B, H] i32
 * - out [B, H, cap] f32; free slots are copied
 * @throws TRIMKV_INVARIANT when the heads of a sequence store different numbers of slots
 */
export const shareHeads: Op<ShareHeadsSlots, Record<never, never>, 'out'> = {
  name: 'shareHeads',
  source: 'TOVA (arXiv:2401.06104): one decision per layer',
  slots: { scores: 'in', count: 'in' },
  outputs: ['out'],
  infer({ scores, count }) {
    const size = rules.match<'B' | 'H' | 'cap'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('scores', scores, 'f32')
    rules.dtype('count', count, 'i32')
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: () => [],
  reference: shareHeadsRef,
}
