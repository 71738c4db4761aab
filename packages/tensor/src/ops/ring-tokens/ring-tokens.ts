import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { ringTokensRef } from './ring-tokens.ref.ts'

const rules = new ShapeRules('ringTokens')

export type RingTokensSlots = { readonly seen: 'in' }

export interface RingTokensAttrs {
  /** Rows of the ring, w. */
  readonly window: number
  /** Number that the first token of a text has: 0 for indices, more for shifted positions. */
  readonly first: number
}

/**
 * Which tokens the rows of a ring of queries hold, as `ringAppend` fills it: row r that of the newest token i with i mod w = r.
 * - seen [B] i32: tokens read so far
 * - out [B, w] i32: i + first; −1 for a row that holds none yet
 * @throws TRIMKV_INVARIANT when seen is negative
 */
export const ringTokens: Op<RingTokensSlots, RingTokensAttrs, 'out'> = {
  name: 'ringTokens',
  source: 'kvpress decoding_press.py: a buffer of recent tokens and their positions',
  slots: { seen: 'in' },
  outputs: ['out'],
  infer({ seen }, { window, first }) {
    const { B } = rules.match<'B'>('seen', seen, ['B'])
    rules.dtype('seen', seen, 'i32')
    rules.option(Number.isSafeInteger(window) && window >= 1, `window must be an integer ≥ 1, got ${window}`)
    rules.option(Number.isSafeInteger(first) && first >= 0, `first must be an integer ≥ 0, got ${first}`)
    return { out: { dtype: 'i32', shape: [B, window] } }
  },
  scalars: ({ window, first }) => [window, first],
  reference: ringTokensRef,
}
