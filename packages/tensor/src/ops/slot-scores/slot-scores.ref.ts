import type { RefArray, SlotValues } from '../../op.ts'
import { rateSlot, type SlotScore } from '../../slot-score.ts'
import type { SlotScoresSlots } from './slot-scores.ts'

export function slotScoresRef(
  { count, slotIndex, seen, columnA, columnB }: SlotValues<SlotScoresSlots, RefArray>,
  { out }: { readonly out: RefArray },
  { score }: { readonly score: SlotScore },
): void {
  const [, H, cap] = out.shape as [number, number, number]
  out.data.fill(Number.NEGATIVE_INFINITY)
  for (let head = 0; head < count.data.length; head++) {
    for (let at = head * cap; at < head * cap + count.data[head]!; at++) {
      out.data[at] = rateSlot(score, {
        index: slotIndex.data[at]!,
        seen: seen.data[Math.floor(head / H)]!,
        columnA: columnA?.data[at],
        columnB: columnB?.data[at],
      })
    }
  }
}
