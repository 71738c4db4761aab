import type { RefArray, SlotValues } from '../../op.ts'
import type { CountKeptSlots } from './count-kept.ts'

export function countKeptRef({ kept, count }: SlotValues<CountKeptSlots, RefArray>): void {
  const budget = kept.shape[2]!
  for (let head = 0; head < count.data.length; head++) {
    count.data[head] = kept.data
      .subarray(head * budget, (head + 1) * budget)
      .filter((slot) => slot >= 0).length
  }
}
