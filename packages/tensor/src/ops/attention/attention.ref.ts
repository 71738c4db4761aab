import type { RefArray, SlotValues } from '../../op.ts'
import { isProtected, rateSlot } from '../../slot-score.ts'
import type { AttentionAttrs, AttentionSlots, VictimRule } from './attention.ts'

type Inputs = SlotValues<AttentionSlots, RefArray>

interface Query {
  readonly q: Float64Array
  /** First row of the head in keys and values. */
  readonly row: number
  readonly visible: number
  readonly scale: number
}

function probabilities({ q, row, visible, scale }: Query, keys: RefArray): Float64Array {
  const D = q.length
  const logits = new Float64Array(visible)
  for (let j = 0; j < visible; j++) {
    let dot = 0
    for (let d = 0; d < D; d++) dot += q[d]! * keys.data[(row + j) * D + d]!
    logits[j] = dot * scale
  }
  const max = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const weights = logits.map((x) => Math.exp(x - max))
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map((x) => x / sum)
}

function findVictim(inputs: Inputs, head: number, rule: VictimRule): number {
  const { keys, count, slotIndex, seen, mass, columnB } = inputs
  const columnA = inputs.columnA ?? mass
  const [, H, cap] = keys.shape as [number, number, number]
  const n = count.data[head]!
  if (n <= rule.budget) return -1
  const tokens = seen!.data[Math.floor(head / H)]!
  let best = { slot: -1, score: 0, index: 0 }
  for (let slot = 0; slot < n; slot++) {
    const at = head * cap + slot
    const index = slotIndex!.data[at]!
    if (isProtected(rule, index, tokens)) continue
    const rated = { index, seen: tokens, columnA: columnA?.data[at], columnB: columnB?.data[at] }
    const score = rateSlot(rule.score, rated)
    const less = score < best.score || (score === best.score && index < best.index)
    if (best.slot < 0 || less) best = { slot, score, index }
  }
  return best.slot
}

export function attentionRef(
  inputs: Inputs,
  { out }: { readonly out: RefArray },
  attrs: AttentionAttrs,
): void {
  const { q, keys, values, count, mass, victim } = inputs
  const [B, C, Hq, D] = q.shape as [number, number, number, number]
  const [, H, cap] = keys.shape as [number, number, number, number]
  const group = Hq / H
  for (let at = 0; at < B * C * Hq; at++) {
    const [b, c, h] = [Math.floor(at / (C * Hq)), Math.floor(at / Hq) % C, Math.floor((at % Hq) / group)]
    const head = b * H + h
    const visible = Math.max(0, count.data[head]! - C + 1 + c)
    const row = head * cap
    const p = probabilities(
      { q: q.data.subarray(at * D, (at + 1) * D), row, visible, scale: attrs.scale },
      keys,
    )
    for (let j = 0; j < visible; j++) {
      for (let d = 0; d < D; d++) out.data[at * D + d]! += p[j]! * values.data[(row + j) * D + d]!
      if (mass) mass.data[row + j]! += p[j]! / group
    }
  }
  if (!victim || !attrs.victim) return
  for (let head = 0; head < B * H; head++) victim.data[head] = findVictim(inputs, head, attrs.victim)
}
