import type { RefArray, SlotValues } from '../../op.ts'
import type { LagScoresAttrs, LagScoresSlots } from './lag-scores.ts'

/** Rows of one head. */
interface HeadRows {
  readonly data: Float64Array
  readonly D: number
}

/** softmax over the `g` slots from `first` on of their deviation, measured in the range of the `g` slots after them. */
function standOut({ data, D }: HeadRows, first: number, g: number): Float64Array {
  const channel = (slot: number, d: number): number => data[slot * D + d]!
  const spread = Float64Array.from({ length: g }, (_, i) => {
    const scaled = Float64Array.from({ length: D }, (_unused, d) => {
      const next = Array.from({ length: g }, (_none, j) => channel(first + g + j, d))
      const [low, high] = [Math.min(...next), Math.max(...next)]
      return (channel(first + i, d) - low) / Math.max(high - low, 1e-12)
    })
    const mean = scaled.reduce((a, b) => a + b, 0) / D
    return Math.sqrt(scaled.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (D - 1))
  })
  const top = Math.max(...spread)
  const weights = spread.map((x) => Math.exp(x - top))
  const total = weights.reduce((a, b) => a + b, 0)
  return weights.map((x) => x / total)
}

/** Rank of each entry from 0; of equal ones the later ranks higher. */
const ranks = (values: Float64Array): Float64Array =>
  values.map((x, i) => values.filter((y, j) => y < x || (y === x && j < i)).length)

export function lagScoresRef(
  { keys, values, count }: SlotValues<LagScoresSlots, RefArray>,
  { out }: { readonly out: RefArray },
  { sinks, partition: g, cross }: LagScoresAttrs,
): void {
  const [, , cap, D] = keys.shape as [number, number, number, number]
  count.data.forEach((n, head) => {
    const to = out.data.subarray(head * cap, head * cap + n)
    if (n < sinks + 2 * g) {
      to.forEach((_, slot) => {
        to[slot] = slot < sinks ? 1 : (slot - sinks) / (n - sinks)
      })
      return
    }
    to.fill(1)
    const rowsOf = ({ data }: RefArray): HeadRows => ({ data: data.subarray(head * cap * D), D })
    for (let first = sinks; first + 2 * g <= n; first += g) {
      const [ofKeys, ofValues] = [standOut(rowsOf(keys), first, g), standOut(rowsOf(values), first, g)]
      const mean = ofKeys.map((x, i) => (x + ofValues[i]!) / 2)
      to.set(cross ? mean : ranks(mean).map((rank) => rank / g), first)
    }
  })
}
