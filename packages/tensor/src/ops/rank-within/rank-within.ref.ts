import type { RefArray, SlotValues } from '../../op.ts'
import type { RankWithinAttrs, RankWithinSlots } from './rank-within.ts'

export function rankWithinRef(
  { scores, count }: SlotValues<RankWithinSlots, RefArray>,
  { out }: { readonly out: RefArray },
  { length }: RankWithinAttrs,
): void {
  const cap = scores.shape[2]!
  out.data.set(scores.data)
  count.data.forEach((n, head) => {
    for (let first = 0; first < n; first += length) {
      const at = head * cap + first
      const stretch = scores.data
        .subarray(at, head * cap + Math.min(first + length, n))
        .map((x) => (Number.isNaN(x) ? Number.NEGATIVE_INFINITY : x))
      stretch.forEach((x, i) => {
        out.data[at + i] = stretch.filter((y, j) => y < x || (y === x && j < i)).length / stretch.length
      })
    }
  })
}
