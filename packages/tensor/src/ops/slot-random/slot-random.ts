import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { slotRandomRef } from './slot-random.ref.ts'

const rules = new ShapeRules('slotRandom')

export type SlotRandomSlots = { readonly index: 'in' }

export interface SlotRandomAttrs {
  /** 0 … 2³²−1. */
  readonly seed: number
  readonly layer: number
  readonly heads: number
}

/**
 * A uniform number for every (token, head), a hash of (seed, layer, head, index): the same on every device and for any
 * order in which tokens come.
 * - index [B, C] i32
 * - out [B, C, heads] f32, multiples of 2⁻²⁴ in [0, 1)
 */
export const slotRandom: Op<SlotRandomSlots, SlotRandomAttrs, 'out'> = {
  name: 'slotRandom',
  source: 'counter-based generator after Salmon et al. 2011; mixing step: MurmurHash3 finaliser (Appleby)',
  slots: { index: 'in' },
  outputs: ['out'],
  infer({ index }, { seed, layer, heads }) {
    const { B, C } = rules.match<'B' | 'C'>('index', index, ['B', 'C'])
    rules.dtype('index', index, 'i32')
    rules.option(
      Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32,
      `seed must be an integer in 0 … 2^32−1, got ${seed}`,
    )
    rules.option(Number.isInteger(layer) && layer >= 0, `layer must be an integer ≥ 0, got ${layer}`)
    rules.option(Number.isInteger(heads) && heads > 0, `heads must be a positive integer, got ${heads}`)
    return { out: { dtype: 'f32', shape: [B, C, heads] } }
  },
  scalars: ({ seed, layer, heads }) => [seed, layer, heads],
  reference: slotRandomRef,
}
