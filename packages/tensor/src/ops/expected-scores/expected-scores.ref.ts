import type { RefArray, SlotValues } from '../../op.ts'
import type { ExpectedScoresAttrs, ExpectedScoresSlots } from './expected-scores.ts'

type Inputs = SlotValues<ExpectedScoresSlots, RefArray>

/** Mean [D] and covariance [D, D] of the queries of one head, sinks left out. */
function statistics(inputs: Inputs, at: { b: number; hq: number }, sinks: number) {
  const { q, index } = inputs
  const [, C, Hq, D] = q.shape as [number, number, number, number]
  const rows = Array.from({ length: C }, (_, c) => at.b * C + c).filter((row) => index.data[row]! >= sinks)
  const queries = rows.map((row) => q.data.subarray((row * Hq + at.hq) * D, (row * Hq + at.hq + 1) * D))
  const count = Math.max(queries.length, 1)
  const mean = Array.from({ length: D }, (_, d) => queries.reduce((sum, x) => sum + x[d]!, 0) / count)
  const covariance = mean.map((_, i) =>
    mean.map(
      (_unused, j) => queries.reduce((sum, x) => sum + (x[i]! - mean[i]!) * (x[j]! - mean[j]!), 0) / count,
    ),
  )
  return { mean, covariance }
}

/** Mean cosines and sines of the next positions of a sequence. */
function meanAngles({ invFreq, seen }: Inputs, b: number, attrs: ExpectedScoresAttrs) {
  const [rows, half] = invFreq.shape as [number, number]
  const first = seen.data[b]! + attrs.offset
  const mean = (of: (angle: number) => number): number[] =>
    Array.from({ length: half }, (_, i) => {
      const frequency = Math.fround(invFreq.data[(rows === 1 ? 0 : b) * half + i]!)
      let sum = 0
      for (let p = first; p < first + attrs.future; p++) sum += of(Math.fround(Math.fround(p) * frequency))
      return (sum / attrs.future) * attrs.ropeScale
    })
  return { cos: mean(Math.cos), sin: mean(Math.sin) }
}

/** Rᵀk for the mean rotation R. */
function turnedBack(key: Float64Array, { cos, sin }: { cos: number[]; sin: number[] }): number[] {
  const half = cos.length
  const out = Array.from(key)
  for (let i = 0; i < half; i++) {
    out[i] = cos[i]! * key[i]! + sin[i]! * key[half + i]!
    out[half + i] = cos[i]! * key[half + i]! - sin[i]! * key[i]!
  }
  return out
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0)

export function expectedScoresRef(
  inputs: Inputs,
  { out }: { readonly out: RefArray },
  attrs: ExpectedScoresAttrs,
): void {
  const { q, keys, count, slotIndex } = inputs
  const [, , Hq, D] = q.shape as [number, number, number, number]
  const [, H, cap] = keys.shape as [number, number, number, number]
  const G = Hq / H
  count.data.forEach((n, head) => {
    const [b, h] = [Math.floor(head / H), head % H]
    const angles = meanAngles(inputs, b, attrs)
    const rated = Array.from({ length: n }, (_, slot) => head * cap + slot).filter(
      (slot) => slotIndex.data[slot]! >= attrs.sinks,
    )
    for (let hq = h * G; hq < (h + 1) * G; hq++) {
      const { mean, covariance } = statistics(inputs, { b, hq }, attrs.sinks)
      const logits = rated.map((slot) => {
        const key = turnedBack(keys.data.subarray(slot * D, (slot + 1) * D), angles)
        const spread = attrs.covariance
          ? dot(
              key,
              covariance.map((row) => dot(row, key)),
            )
          : 0
        return attrs.scale * dot(key, mean) + (attrs.scale ** 2 / 2) * spread
      })
      const top = Math.max(...logits)
      const weights = logits.map((z) => Math.exp(z - top))
      const total = weights.reduce((a, x) => a + x, 0)
      rated.forEach((slot, i) => {
        out.data[slot]! += weights[i]! / total / G
      })
    }
  })
}
