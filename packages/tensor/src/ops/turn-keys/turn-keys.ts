import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { turnKeysRef } from './turn-keys.ref.ts'

const rules = new ShapeRules('turnKeys')

export type TurnKeysSlots = { readonly kept: 'in'; readonly invFreq: 'in'; readonly keys: 'inout' }

/**
 * Rotates survivors to the positions of the slots they moved to: row j by the angle of `j − kept[j]` positions. For keys
 * whose rotary position is their slot number.
 * - kept [B, H, budget] i32 as `select` returns it: the slots that rows 0, 1, … came from, maybe of a larger
 *   table; rows at −1 stay as they are
 * - invFreq [F, R/2] f32, one row for all sequences (F = 1) or one each (F = B); R ≤ D, pairs `(i, i + R/2)`
 * - keys [B, H, cap, D] f32 | bf16 | f16, already moved; rows may be strided
 * @throws TRIMKV_INVARIANT when kept is not ascending
 */
export const turnKeys: Op<TurnKeysSlots, Record<never, never>, never> = {
  name: 'turnKeys',
  source: 'StreamingLLM (arXiv:2309.17453), positions within the cache; kvpress key_rerotation_press.py',
  slots: { kept: 'in', invFreq: 'in', keys: 'inout' },
  outputs: [],
  infer({ kept, invFreq, keys }) {
    const size = rules.match<'B' | 'H' | 'budget' | 'cap' | 'D'>('keys', keys, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('kept', kept, ['B', 'H', 'budget'])
    const { F, half } = rules.match<'F' | 'half'>('invFreq', invFreq, ['F', 'half'])
    rules.dtype('kept', kept, 'i32')
    rules.dtype('invFreq', invFreq, 'f32')
    rules.dtype('keys', keys, ...floatDtypes)
    rules.shape(F === 1 || F === size.B, `invFreq has ${F} rows for ${size.B} sequences`)
    rules.shape(2 * half <= size.D, `${2 * half} rotary dimensions do not fit a head of ${size.D}`)
    rules.shape(size.budget <= size.cap, `${size.budget} survivors do not fit ${size.cap} slots`)
    return {}
  },
  scalars: () => [],
  reference: turnKeysRef,
}
