import type { RefArray, SlotValues } from '../../op.ts'
import { isProtected, type ProtectedRange } from '../../slot-score.ts'
import type { ProtectSlots } from './protect.ts'

export function protectRef(
  { scores, slotIndex, count, seen }: SlotValues<ProtectSlots, RefArray>,
  _: unknown,
  range: ProtectedRange,
): void {
  const [, H, cap] = scores.shape as [number, number, number]
  for (let head = 0; head < count.data.length; head++) {
    for (let at = head * cap; at < head * cap + count.data[head]!; at++) {
      const token = slotIndex.data[at]!
      if (isProtected(range, token, seen.data[Math.floor(head / H)]!))
        scores.data[at] = Number.POSITIVE_INFINITY
    }
  }
}
