import type { RefArray, SlotValues } from '../../op.ts'
import type { MoveSlotsSlots } from './move-slots.ts'

function sourceSlots({ count, kept }: SlotValues<MoveSlotsSlots, RefArray>, head: number): number[] {
  if (!kept) return Array.from({ length: count.data[head]! }, (_, slot) => slot)
  const budget = kept.shape[2]!
  return [...kept.data.subarray(head * budget, (head + 1) * budget)].filter((slot) => slot >= 0)
}

export function moveSlotsRef(inputs: SlotValues<MoveSlotsSlots, RefArray>): void {
  const { from, to } = inputs
  const [B, H, capA, W = 1] = from.shape as [number, number, number, number?]
  const capB = to.shape[2]!
  for (let head = 0; head < B * H; head++) {
    sourceSlots(inputs, head).forEach((slot, j) => {
      const at = (head * capA + slot) * W
      to.data.set(from.data.subarray(at, at + W), (head * capB + j) * W)
    })
  }
}
