import type { RefArray, SlotValues } from '../../op.ts'
import type { RedundancySlots } from './redundancy.ts'

const epsilon = 1e-8

function unitRows(rows: Float64Array, D: number): Float64Array {
  const out = new Float64Array(rows.length)
  for (let from = 0; from < rows.length; from += D) {
    const row = rows.subarray(from, from + D)
    const length = Math.sqrt(row.reduce((sum, v) => sum + v * v, 0)) + epsilon
    out.set(
      row.map((v) => v / length),
      from,
    )
  }
  return out
}

/** Similarities of key i to all keys, with the entry that is not charged set to 0. */
function similarities(
  unit: Float64Array,
  i: number,
  { D, threshold }: { D: number; threshold: number },
): Float64Array {
  const row = new Float64Array(unit.length / D)
  let spared = 0
  for (let j = 0; j < row.length; j++) {
    if (j === i) continue
    for (let d = 0; d < D; d++) row[j]! += unit[i * D + d]! * unit[j * D + d]!
    if (row[j]! > threshold) spared = j
  }
  row[spared] = 0
  return row
}

export function redundancyRef(
  { keys, count }: SlotValues<RedundancySlots, RefArray>,
  { out }: { readonly out: RefArray },
  { threshold }: { readonly threshold: number },
): void {
  const [, , cap, D] = keys.shape as [number, number, number, number]
  for (let head = 0; head < count.data.length; head++) {
    const n = count.data[head]!
    const unit = unitRows(keys.data.subarray(head * cap * D, (head * cap + n) * D), D)
    const mean = new Float64Array(n)
    for (let i = 0; i < n; i++) {
      similarities(unit, i, { D, threshold }).forEach((c, j) => {
        mean[j]! += c / n
      })
    }
    const weights = mean.map(Math.exp)
    const sum = weights.reduce((a, b) => a + b, 0)
    out.data.set(
      weights.map((x) => x / sum),
      head * cap,
    )
  }
}
