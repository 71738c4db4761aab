import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { kvAppendRef } from './kv-append.ref.ts'

const rules = new ShapeRules('kvAppend')

export type KvAppendSlots = {
  readonly k: 'in'
  readonly v: 'in'
  readonly index: 'in'
  readonly keys: 'inout'
  readonly values: 'inout'
  readonly slotIndex: 'inout'
  readonly count: 'inout'
  readonly victim: 'optionalInout'
}

/**
 * Stores the keys and values of C new tokens. A token goes to the next free slot (`count++`), or over the slot named by
 * `victim` when C = 1 and victim ≥ 0 (victim then becomes −1).
 * - k, v [B, C, H, D] f32, outer axes may be strided; index [B, C] i32, the tokens' indices in their sequences
 * - keys, values [B, H, cap, D] f32 | bf16 | f16 | f8, rounded to nearest even; slotIndex [B, H, cap], count, victim [B, H] i32
 * - out [B, C, H] i32: the slot each token went to
 * @throws TRIMKV_INVARIANT when a head has no free slot; nothing is stored then
 */
export const kvAppend: Op<KvAppendSlots, Record<never, never>, 'out'> = {
  name: 'kvAppend',
  source: 'TRIM-KV (arXiv:2512.03324), Algorithm 1, append step',
  slots: {
    k: 'in',
    v: 'in',
    index: 'in',
    keys: 'inout',
    values: 'inout',
    slotIndex: 'inout',
    count: 'inout',
    victim: 'optionalInout',
  },
  outputs: ['out'],
  infer({ k, v, index, keys, values, slotIndex, count, victim }) {
    const size = rules.match<'B' | 'C' | 'H' | 'D' | 'cap'>('k', k, ['B', 'C', 'H', 'D'])
    rules.with(size).match('v', v, ['B', 'C', 'H', 'D'])
    rules.with(size).match('index', index, ['B', 'C'])
    rules.with(size).match('keys', keys, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('values', values, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('k', k, 'f32')
    rules.dtype('v', v, 'f32')
    rules.dtype('index', index, 'i32')
    rules.dtype('keys', keys, ...floatDtypes)
    rules.dtype('values', values, keys.dtype)
    rules.dtype('slotIndex', slotIndex, 'i32')
    rules.dtype('count', count, 'i32')
    if (victim) {
      rules.with(size).match('victim', victim, ['B', 'H'])
      rules.dtype('victim', victim, 'i32')
    }
    return { out: { dtype: 'i32', shape: [size.B, size.C, size.H] } }
  },
  scalars: () => [],
  reference: kvAppendRef,
  cost: ({ k }) => ({ flops: 0, bytes: 16 * k.shape.reduce((a, b) => a * b, 1) }),
}
