import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { weighScoresRef } from './weigh-scores.ref.ts'

const rules = new ShapeRules('weighScores')

export type WeighScoresSlots = {
  readonly scores: 'in'
  readonly weights: 'in'
  readonly count: 'in'
  readonly kept: 'optional'
}

export interface WeighScoresAttrs {
  /** Added to a score before it is weighed, so that weights decide between scores of 0. */
  readonly epsilon: number
}

/**
 * (score + ε) · weight of each slot; slots already chosen get +∞.
 * - scores, weights [B, H, cap] f32; count [B, H] i32
 * - kept [B, H, m] i32 as `select` returns it, optional
 * - out [B, H, cap] f32; free slots are copied
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap, or kept names a slot outside 0 … count−1
 */
export const weighScores: Op<WeighScoresSlots, WeighScoresAttrs, 'out'> = {
  name: 'weighScores',
  source:
    'CriticalKV (arXiv:2502.03805), second stage; ExpectedAttention (arXiv:2510.00636), norm of the values',
  slots: { scores: 'in', weights: 'in', count: 'in', kept: 'optional' },
  outputs: ['out'],
  infer({ scores, weights, count, kept }, { epsilon }) {
    const size = rules.match<'B' | 'H' | 'cap' | 'm'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('weights', weights, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('scores', scores, 'f32')
    rules.dtype('weights', weights, 'f32')
    rules.dtype('count', count, 'i32')
    if (kept) {
      rules.with(size).match('kept', kept, ['B', 'H', 'm'])
      rules.dtype('kept', kept, 'i32')
    }
    rules.option(Number.isFinite(epsilon), `epsilon must be a finite number, got ${epsilon}`)
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ epsilon }) => [epsilon],
  reference: weighScoresRef,
}
