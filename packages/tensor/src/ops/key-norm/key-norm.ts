import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { keyNormRef } from './key-norm.ref.ts'

const rules = new ShapeRules('keyNorm')

export type KeyNormSlots = { readonly k: 'in' }

/**
 * Euclidean length of each new key, or its natural logarithm (lengths below 1e-12 count as that).
 * - k [B, C, H, D] f32, outer axes may be strided
 * - out [B, C, H] f32
 */
export const keyNorm: Op<KeyNormSlots, { readonly log: boolean }, 'out'> = {
  name: 'keyNorm',
  source: 'L2 norm compression (arXiv:2406.11430); TRIM-KV code, strategy knorm_alpha, for the logarithm',
  slots: { k: 'in' },
  outputs: ['out'],
  infer({ k }) {
    const { B, C, H } = rules.match<'B' | 'C' | 'H' | 'D'>('k', k, ['B', 'C', 'H', 'D'])
    rules.dtype('k', k, 'f32')
    return { out: { dtype: 'f32', shape: [B, C, H] } }
  },
  scalars: ({ log }) => [log ? 1 : 0],
  reference: keyNormRef,
}
