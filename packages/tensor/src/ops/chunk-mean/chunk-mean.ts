import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { chunkMeanRef } from './chunk-mean.ref.ts'

const rules = new ShapeRules('chunkMean')

export type ChunkMeanSlots = { readonly scores: 'in'; readonly count: 'in' }

export interface ChunkMeanAttrs {
  /** Slots of a chunk; the last one may be shorter. */
  readonly length: number
}

/**
 * Gives every slot the mean score of its chunk: neighbours are kept or dropped together. Chunks are cut in slot order.
 * - scores [B, H, cap] f32; count [B, H] i32; slots should be in token order
 * - out [B, H, cap] f32; free slots are copied
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const chunkMean: Op<ChunkMeanSlots, ChunkMeanAttrs, 'out'> = {
  name: 'chunkMean',
  source: 'ChunkKV (arXiv:2502.00299)',
  slots: { scores: 'in', count: 'in' },
  outputs: ['out'],
  infer({ scores, count }, { length }) {
    const size = rules.match<'B' | 'H' | 'cap'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('scores', scores, 'f32')
    rules.dtype('count', count, 'i32')
    rules.option(Number.isSafeInteger(length) && length >= 1, `length must be an integer ≥ 1, got ${length}`)
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ length }) => [length],
  reference: chunkMeanRef,
}
