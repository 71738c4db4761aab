import type { TensorSpec } from '../../dtype.ts'
import type { Op, SlotValues } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { gatedAttentionRef } from './gated-attention.ref.ts'

const rules = new ShapeRules('gatedAttention')

/** Head size the kernels have room for. */
const maxHeadSize = 256
/** Ages are exact in f32 up to this length. */
const maxLength = 2 ** 24

export type GatedAttentionSlots = {
  readonly q: 'in'
  readonly k: 'in'
  readonly v: 'in'
  readonly logBeta: 'optional'
  readonly start: 'optional'
}

export interface GatedAttentionAttrs {
  /** Factor of q·k, 1/√D for the models here. */
  readonly scale: number
}

type Letter = 'B' | 'T' | 'Hq' | 'D' | 'H'

/** The rules that the op shares with its gradient. */
export function checkGatedAttention(
  rules: ShapeRules,
  { q, k, v, logBeta, start }: SlotValues<GatedAttentionSlots, TensorSpec>,
  { scale }: GatedAttentionAttrs,
): Record<Letter, number> {
  const size = rules.match<Letter>('q', q, ['B', 'T', 'Hq', 'D'])
  const sized = rules.with(size)
  sized.match('k', k, ['B', 'T', 'H', 'D'])
  sized.match('v', v, ['B', 'T', 'H', 'D'])
  for (const [name, spec] of Object.entries({ q, k, v })) rules.dtype(name, spec, 'f32')
  rules.shape(
    size.H > 0 && size.Hq % size.H === 0,
    `${size.Hq} query heads do not divide into ${size.H} key heads`,
  )
  rules.shape(size.D <= maxHeadSize, `head size ${size.D} is above ${maxHeadSize}`)
  rules.shape(size.T <= maxLength, `${size.T} tokens in a row are more than ${maxLength}`)
  if (logBeta) {
    sized.match('logBeta', logBeta, ['B', 'T', 'H'])
    rules.dtype('logBeta', logBeta, 'f32')
  }
  if (start) {
    sized.match('start', start, ['B', 'T'])
    rules.dtype('start', start, 'i32')
  }
  rules.option(Number.isFinite(scale), `scale must be a finite number, got ${scale}`)
  return size
}

/**
 * Causal attention over whole rows of tokens for training, with keys that fade as they age: query t weighs key i by
 * softmax over i of `scale·q_t·k_i + (t−i)·logBeta_i`, start_t ≤ i ≤ t.
 * - q [B, T, Hq, D] f32; k, v [B, T, H, D] f32; Hq a multiple of H, D ≤ 256; the last axis without gaps
 * - logBeta [B, T, H] f32, ≤ 0 in use: what a key loses per token of age; absent = 0
 * - start [B, T] i32: index in the row of the first token of t's document, absent = 0. It never falls along a row
 * - out [B, T, Hq, D] f32; lse [B, T, Hq] f32: log Σ exp of the logits, for the gradient
 *
 * Memory grows with T, not T². Of keys that a bound on their logits shows to weigh less than e^−30 of the largest
 * weight for all of a tile of queries, nothing is computed; a query then differs by less than T·e^−30 of its values.
 * @throws TRIMKV_SHAPE, TRIMKV_DTYPE, TRIMKV_OPTION; TRIMKV_INVARIANT unless 0 ≤ start_t ≤ t and start never falls
 */
export const gatedAttention: Op<GatedAttentionSlots, GatedAttentionAttrs, 'out' | 'lse'> = {
  name: 'gatedAttention',
  source: 'TRIM-KV (arXiv:2512.03324) eq. 3; tiles: Dao 2023 (arXiv:2307.08691), from the diagonal backwards',
  slots: { q: 'in', k: 'in', v: 'in', logBeta: 'optional', start: 'optional' },
  outputs: ['out', 'lse'],
  infer(inputs, attrs) {
    const { B, T, Hq, D } = checkGatedAttention(rules, inputs, attrs)
    return { out: { dtype: 'f32', shape: [B, T, Hq, D] }, lse: { dtype: 'f32', shape: [B, T, Hq] } }
  },
  scalars: ({ scale }) => [scale],
  reference: gatedAttentionRef,
  /** Documents and skipped keys are data, so all pairs of a row are taken as seen. */
  cost({ q, k }) {
    const [B, T, Hq, D] = q.shape as [number, number, number, number]
    return { flops: 2 * B * Hq * T * (T + 1) * D, bytes: 8 * B * T * (Hq + k.shape[2]!) * D }
  },
}
