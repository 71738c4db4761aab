import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { expectedScoresRef } from './expected-scores.ref.ts'

const rules = new ShapeRules('expectedScores')

export type ExpectedScoresSlots = {
  readonly q: 'in'
  readonly index: 'in'
  readonly keys: 'in'
  readonly count: 'in'
  readonly slotIndex: 'in'
  readonly seen: 'in'
  readonly invFreq: 'in'
}

export interface ExpectedScoresAttrs {
  /** First tokens of the text: their queries are not counted, their slots not rated. */
  readonly sinks: number
  /** Positions after the text that the rotation is averaged over, ≥ 1. */
  readonly future: number
  /** Use the covariance of the queries, not only their mean. */
  readonly covariance: boolean
  /** Factor of the logits, 1/√D for the models here. */
  readonly scale: number
  /** Factor of cosines and sines, as in `ropeTable`. */
  readonly ropeScale: number
  /** Rotary position of the token with index 0. */
  readonly offset: number
}

/**
 * Attention that queries to come are expected to give each slot, were they Gaussian with the mean μ and covariance Σ of the
 * queries given. With R the mean rotation of the next `future` positions and k' = Rᵀk, per query head
 * z = scale · k'·μ + scale²/2 · k'ᵀΣk', softmax of z over the slots that are no sinks, then the mean over the group.
 * - q [B, C, Hq, D] f32 before rotation, outer axes may be strided; index [B, C] i32, their tokens
 * - keys [B, H, cap, D] f32 | bf16 | f16 after rotation; count [B, H], slotIndex [B, H, cap], seen [B] i32
 * - invFreq [F, R/2] f32, one row for all sequences (F = 1) or one each (F = B); R ≤ D, pairs `(i, i + R/2)`
 * - out [B, H, cap] f32; 0 for sinks and free slots. Without queries μ and Σ are 0.
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const expectedScores: Op<ExpectedScoresSlots, ExpectedScoresAttrs, 'out'> = {
  name: 'expectedScores',
  source: 'ExpectedAttention (arXiv:2510.00636); kvpress expected_attention_press.py',
  slots: { q: 'in', index: 'in', keys: 'in', count: 'in', slotIndex: 'in', seen: 'in', invFreq: 'in' },
  outputs: ['out'],
  infer(inputs, { sinks, future, scale, ropeScale, offset }) {
    const { q, index, keys, count, slotIndex, seen, invFreq } = inputs
    const size = rules.match<'B' | 'C' | 'Hq' | 'D' | 'H' | 'cap'>('q', q, ['B', 'C', 'Hq', 'D'])
    rules.with(size).match('index', index, ['B', 'C'])
    rules.with(size).match('keys', keys, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('seen', seen, ['B'])
    const { F, half } = rules.match<'F' | 'half'>('invFreq', invFreq, ['F', 'half'])
    rules.shape(
      size.H > 0 && size.Hq % size.H === 0,
      `${size.Hq} query heads do not divide into ${size.H} key heads`,
    )
    rules.shape(F === 1 || F === size.B, `invFreq has ${F} rows for ${size.B} sequences`)
    rules.shape(2 * half <= size.D, `${2 * half} rotary dimensions do not fit a head of ${size.D}`)
    rules.dtype('q', q, 'f32')
    rules.dtype('invFreq', invFreq, 'f32')
    rules.dtype('keys', keys, ...floatDtypes)
    for (const [name, t] of Object.entries({ index, count, slotIndex, seen })) rules.dtype(name, t, 'i32')
    const whole = [sinks, future - 1, offset].every((n) => Number.isSafeInteger(n) && n >= 0)
    rules.option(whole, 'sinks and offset must be integers ≥ 0, future an integer ≥ 1')
    rules.option([scale, ropeScale].every(Number.isFinite), 'scale and ropeScale must be finite')
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ sinks, future, covariance, scale, ropeScale, offset }) => [
    sinks,
    future,
    covariance ? 1 : 0,
    scale,
    ropeScale,
    offset,
  ],
  reference: expectedScoresRef,
  /** Counts are data, so all `cap` slots are taken as stored. */
  cost({ q, keys }, { covariance }) {
    const [B, C, Hq, D] = q.shape as [number, number, number, number]
    const [, H, cap] = keys.shape as [number, number, number, number]
    const width = covariance ? D : 1
    return {
      flops: 2 * B * Hq * D * width * (C + cap),
      bytes: B * H * cap * D * (keys.dtype === 'f32' ? 4 : 2) + 4 * B * C * Hq * D,
    }
  },
}
