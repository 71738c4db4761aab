import type { RefArray, SlotValues } from '../../op.ts'
import type { GatedAttentionAttrs, GatedAttentionSlots } from './gated-attention.ts'

export function gatedAttentionRef(
  { q, k, v, logBeta, start }: SlotValues<GatedAttentionSlots, RefArray>,
  { out, lse }: { readonly out: RefArray; readonly lse: RefArray },
  { scale }: GatedAttentionAttrs,
): void {
  const [B, T, Hq, D] = q.shape as [number, number, number, number]
  const H = k.shape[2]!
  for (let at = 0; at < B * T * Hq; at++) {
    const [b, t, h] = [Math.floor(at / (T * Hq)), Math.floor(at / Hq) % T, Math.floor(((at % Hq) * H) / Hq)]
    const first = start ? start.data[b * T + t]! : 0
    const keyOf = (i: number) => (b * T + i) * H + h
    const logits = Array.from({ length: t - first + 1 }, (_, n) => {
      const key = keyOf(first + n)
      let dot = 0
      for (let d = 0; d < D; d++) dot += q.data[at * D + d]! * k.data[key * D + d]!
      return scale * dot + (logBeta ? (t - first - n) * logBeta.data[key]! : 0)
    })
    const most = logits.reduce((a, b) => Math.max(a, b))
    const sum = logits.reduce((total, x) => total + Math.exp(x - most), 0)
    lse.data[at] = most + Math.log(sum)
    for (const [n, logit] of logits.entries()) {
      const weight = Math.exp(logit - most) / sum
      for (let d = 0; d < D; d++) out.data[at * D + d]! += weight * v.data[keyOf(first + n) * D + d]!
    }
  }
}
