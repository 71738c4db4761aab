import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { lagScoresRef } from './lag-scores.ref.ts'

const rules = new ShapeRules('lagScores')

export type LagScoresSlots = { readonly keys: 'in'; readonly values: 'in'; readonly count: 'in' }

export interface LagScoresAttrs {
  /** First slots, which are not rated. */
  readonly sinks: number
  /** Slots of a partition. */
  readonly partition: number
  /** The ratings themselves, not their ranks: for budgets that heads share. */
  readonly cross: boolean
}

/**
 * How far slots stand out of the partition that follows theirs. After `sinks` slots the rest is cut into partitions of
 * g slots; per channel x ↦ (x − min)/(max − min) by the next partition, the deviation over the channels of each key and
 * each value, a softmax of it within the partition, and the mean of keys and values. `cross` gives that number, otherwise its
 * rank in the partition over g, from 0, so that all partitions lose the same share. Sinks, the last whole partition and what
 * remains get 1. Fewer than sinks + 2g slots: 1 for sinks, then a ramp from 0 to below 1.
 * - keys, values [B, H, cap, D] f32 | bf16 | f16; count [B, H] i32; slots should be in token order; D ≥ 2
 * - out [B, H, cap] f32; 0 for free slots. A channel that is constant in the next partition counts as range 1e-12.
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap
 */
export const lagScores: Op<LagScoresSlots, LagScoresAttrs, 'out'> = {
  name: 'lagScores',
  source: 'LagKV (arXiv:2504.04704) as in kvpress lagkv_press.py',
  slots: { keys: 'in', values: 'in', count: 'in' },
  outputs: ['out'],
  infer({ keys, values, count }, { sinks, partition }) {
    const size = rules.match<'B' | 'H' | 'cap' | 'D'>('keys', keys, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('values', values, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.shape(size.D >= 2, `a deviation needs two channels, heads have ${size.D}`)
    rules.dtype('keys', keys, ...floatDtypes)
    rules.dtype('values', values, keys.dtype)
    rules.dtype('count', count, 'i32')
    rules.option(Number.isSafeInteger(sinks) && sinks >= 0, `sinks must be an integer ≥ 0, got ${sinks}`)
    rules.option(
      Number.isSafeInteger(partition) && partition >= 1,
      `partition must be an integer ≥ 1, got ${partition}`,
    )
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ sinks, partition, cross }) => [sinks, partition, cross ? 1 : 0],
  reference: lagScoresRef,
  /** Each row is read as itself and as the measure of another. */
  cost({ keys }) {
    const size = keys.shape.reduce((a, b) => a * b, 1)
    return { flops: 2 * 8 * size, bytes: 2 * 2 * size * (keys.dtype === 'f32' ? 4 : 2) }
  },
}
