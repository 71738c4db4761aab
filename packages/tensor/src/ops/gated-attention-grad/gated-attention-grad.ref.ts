import type { RefArray, SlotValues } from '../../op.ts'
import type { GatedAttentionAttrs } from '../gated-attention/gated-attention.ts'
import type { GatedAttentionGradSlots } from './gated-attention-grad.ts'

type Outputs = { readonly [K in 'dq' | 'dk' | 'dv' | 'dLogBeta']: RefArray }

export function gatedAttentionGradRef(
  { q, k, v, logBeta, start, out, lse, dout }: SlotValues<GatedAttentionGradSlots, RefArray>,
  { dq, dk, dv, dLogBeta }: Outputs,
  { scale }: GatedAttentionAttrs,
): void {
  const [B, T, Hq, D] = q.shape as [number, number, number, number]
  const H = k.shape[2]!
  for (let at = 0; at < B * T * Hq; at++) {
    const [b, t, h] = [Math.floor(at / (T * Hq)), Math.floor(at / Hq) % T, Math.floor(((at % Hq) * H) / Hq)]
    const query = at * D
    const vector = (x: RefArray, start: number) => x.data.subarray(start, start + D)
    const mean = dot(vector(dout, query), vector(out, query))
    for (let i = start ? start.data[b * T + t]! : 0; i <= t; i++) {
      const row = (b * T + i) * H + h
      const key = row * D
      const logit =
        scale * dot(vector(q, query), vector(k, key)) + (logBeta ? (t - i) * logBeta.data[row]! : 0)
      const weight = Math.exp(logit - lse.data[at]!)
      const dLogit = weight * (dot(vector(dout, query), vector(v, key)) - mean)
      for (let d = 0; d < D; d++) {
        dq.data[query + d]! += scale * dLogit * k.data[key + d]!
        dk.data[key + d]! += scale * dLogit * q.data[query + d]!
        dv.data[key + d]! += weight * dout.data[query + d]!
      }
      if (logBeta) dLogBeta.data[row]! += (t - i) * dLogit
    }
  }
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, d) => sum + value * b[d]!, 0)
