import type { RefArray, SlotValues } from '../../op.ts'
import type { WeighScoresAttrs, WeighScoresSlots } from './weigh-scores.ts'

export function weighScoresRef(
  { scores, weights, count, kept }: SlotValues<WeighScoresSlots, RefArray>,
  { out }: { readonly out: RefArray },
  { epsilon }: WeighScoresAttrs,
): void {
  const cap = scores.shape[2]!
  out.data.set(scores.data)
  count.data.forEach((n, head) => {
    for (let at = head * cap; at < head * cap + n; at++)
      out.data[at] = (scores.data[at]! + epsilon) * weights.data[at]!
    const m = kept?.shape[2] ?? 0
    for (const slot of kept?.data.subarray(head * m, (head + 1) * m) ?? [])
      if (slot >= 0) out.data[head * cap + slot] = Number.POSITIVE_INFINITY
  })
}
