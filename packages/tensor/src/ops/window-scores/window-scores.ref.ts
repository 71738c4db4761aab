import type { RefArray, SlotValues } from '../../op.ts'
import type { WindowScoresAttrs, WindowScoresSlots } from './window-scores.ts'

type Inputs = SlotValues<WindowScoresSlots, RefArray>

/** Logits of the query of token `at.token` in one query head against all slots of the key head. */
function logits(inputs: Inputs, at: { b: number; token: number; hq: number }, scale: number): Float64Array {
  const { ring, keys, count } = inputs
  const [, w, Hq, D] = ring.shape as [number, number, number, number]
  const [, H, cap] = keys.shape as [number, number, number]
  const head = at.b * H + Math.floor(at.hq / (Hq / H))
  const from = ((at.b * w + (at.token % w)) * Hq + at.hq) * D
  return new Float64Array(count.data[head]!).map((_, j) => {
    let dot = 0
    for (let d = 0; d < D; d++) dot += ring.data[from + d]! * keys.data[(head * cap + j) * D + d]!
    return dot * scale
  })
}

/** Adds `weight · softmax` over the columns where `visible` holds. */
function addSoftmax(
  to: Float64Array,
  row: Float64Array,
  { weight, visible }: { weight: number; visible: (j: number) => boolean },
): void {
  const max = row.reduce((m, x, j) => (visible(j) ? Math.max(m, x) : m), Number.NEGATIVE_INFINITY)
  const sum = row.reduce((s, x, j) => (visible(j) ? s + Math.exp(x - max) : s), 0)
  row.forEach((x, j) => {
    if (visible(j)) to[j]! += (weight * Math.exp(x - max)) / sum
  })
}

export function windowScoresRef(
  inputs: Inputs,
  { out }: { readonly out: RefArray },
  attrs: WindowScoresAttrs,
): void {
  const { ring, count, slotIndex, seen } = inputs
  const [, w, Hq] = ring.shape as [number, number, number]
  const [, H, cap] = out.shape as [number, number, number]
  const G = Hq / H
  for (let head = 0; head < count.data.length; head++) {
    const [b, h] = [Math.floor(head / H), head % H]
    const tokens = seen.data[b]!
    const window = Math.min(w, tokens)
    const to = out.data.subarray(head * cap, (head + 1) * cap)
    const index = slotIndex.data.subarray(head * cap, (head + 1) * cap)
    for (let token = tokens - window; token < tokens; token++) {
      const older = index.subarray(0, count.data[head]!).filter((at) => at < token).length
      const weight = (attrs.timesVisible ? older : 1) / window
      const rows = Array.from({ length: G }, (_, g) =>
        logits(inputs, { b, token, hq: h * G + g }, attrs.scale),
      )
      if (attrs.columns === 'all') {
        for (const row of rows)
          addSoftmax(to, row, { weight: weight / G, visible: (j) => index[j]! <= token })
      } else {
        const best = rows[0]!.map((_, j) =>
          rows.reduce((m, row) => Math.max(m, row[j]!), Number.NEGATIVE_INFINITY),
        )
        addSoftmax(to, best, { weight, visible: (j) => index[j]! < tokens - w })
      }
    }
  }
}
