import type { RefArray, SlotValues } from '../../op.ts'
import type { ClearSlotsSlots } from './clear-slots.ts'

export function clearSlotsRef({ count, data }: SlotValues<ClearSlotsSlots, RefArray>): void {
  const [, , cap, W = 1] = data.shape as [number, number, number, number?]
  count.data.forEach((n, head) => {
    data.data.fill(0, (head * cap + n) * W, (head + 1) * cap * W)
  })
}
