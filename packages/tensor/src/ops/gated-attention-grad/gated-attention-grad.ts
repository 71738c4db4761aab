import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { checkGatedAttention, type GatedAttentionAttrs } from '../gated-attention/gated-attention.ts'
import { gatedAttentionGradRef } from './gated-attention-grad.ref.ts'

const rules = new ShapeRules('gatedAttentionGrad')

export type GatedAttentionGradSlots = {
  readonly q: 'in'
  readonly k: 'in'
  readonly v: 'in'
  readonly logBeta: 'optional'
  readonly start: 'optional'
  readonly out: 'in'
  readonly lse: 'in'
  readonly dout: 'in'
}

/**
 * Gradient of gatedAttention with respect to its float inputs, weights recomputed from `lse`.
 * - q, k, v, logBeta, start: as there; out [B, T, Hq, D] and lse [B, T, Hq] f32: what it gave for them
 * - dout [B, T, Hq, D] f32: gradient with respect to `out`
 * - dq [B, T, Hq, D], dk, dv [B, T, H, D], dLogBeta [B, T, H] f32; dLogBeta is 0 when logBeta is absent
 *
 * Memory grows with T, not T². Pairs in tiles where a bound shows every weight to be below e^−30 add nothing. Sums are
 * taken in an order that depends on the shapes alone.
 * @throws TRIMKV_SHAPE, TRIMKV_DTYPE, TRIMKV_OPTION; TRIMKV_INVARIANT unless 0 ≤ start_t ≤ t and start never falls
 */
export const gatedAttentionGrad: Op<
  GatedAttentionGradSlots,
  GatedAttentionAttrs,
  'dq' | 'dk' | 'dv' | 'dLogBeta'
> = {
  name: 'gatedAttentionGrad',
  source: 'TRIM-KV (arXiv:2512.03324) eq. 3; backward: Dao et al. 2022 (arXiv:2205.14135) appendix B',
  slots: {
    q: 'in',
    k: 'in',
    v: 'in',
    logBeta: 'optional',
    start: 'optional',
    out: 'in',
    lse: 'in',
    dout: 'in',
  },
  outputs: ['dq', 'dk', 'dv', 'dLogBeta'],
  infer(inputs, attrs) {
    const { B, T, Hq, H, D } = checkGatedAttention(rules, inputs, attrs)
    const { out, lse, dout } = inputs
    rules.match('out', out, [B, T, Hq, D])
    rules.match('dout', dout, [B, T, Hq, D])
    rules.match('lse', lse, [B, T, Hq])
    for (const [name, spec] of Object.entries({ out, lse, dout })) rules.dtype(name, spec, 'f32')
    const keys = [B, T, H, D]
    return {
      dq: { dtype: 'f32', shape: [B, T, Hq, D] },
      dk: { dtype: 'f32', shape: keys },
      dv: { dtype: 'f32', shape: keys },
      dLogBeta: { dtype: 'f32', shape: [B, T, H] },
    }
  },
  scalars: ({ scale }) => [scale],
  reference: gatedAttentionGradRef,
  cost({ q, k }) {
    const [B, T, Hq, D] = q.shape as [number, number, number, number]
    return { flops: 5 * B * Hq * T * (T + 1) * D, bytes: 16 * B * T * (Hq + k.shape[2]!) * D }
  },
}
