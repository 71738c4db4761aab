import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { keyDiffRef } from './key-diff.ref.ts'

const rules = new ShapeRules('keyDiff')

export type KeyDiffSlots = { readonly keys: 'in'; readonly count: 'in' }

/**
 * How unlike the average key each stored key is: `−cos(k_j, mean_i k_i/‖k_i‖)`; larger means rarer.
 * - keys [B, H, cap, D] f32 | bf16 | f16 | f8; count [B, H] i32
 * - out [B, H, cap] f32; 0 for free slots; unit keys are summed in f32, 64 slots at a time
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const keyDiff: Op<KeyDiffSlots, Record<never, never>, 'out'> = {
  name: 'keyDiff',
  source: 'KeyDiff (arXiv:2504.15364); kvpress keydiff_press.py',
  slots: { keys: 'in', count: 'in' },
  outputs: ['out'],
  infer({ keys, count }) {
    const size = rules.match<'B' | 'H' | 'cap' | 'D'>('keys', keys, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('keys', keys, ...floatDtypes)
    rules.dtype('count', count, 'i32')
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: () => [],
  reference: keyDiffRef,
  cost({ keys }) {
    const size = keys.shape.reduce((a, b) => a * b, 1)
    return { flops: 7 * size, bytes: 2 * size * (keys.dtype === 'f32' ? 4 : 2) }
  },
}
