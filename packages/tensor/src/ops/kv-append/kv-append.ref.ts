import { fail } from '../../errors.ts'
import type { RefArray, SlotValues } from '../../op.ts'
import type { KvAppendSlots } from './kv-append.ts'

export function kvAppendRef(
  inputs: SlotValues<KvAppendSlots, RefArray>,
  { out }: { readonly out: RefArray },
): void {
  const { k, v, index, keys, values, slotIndex, count, victim } = inputs
  const [B, C, H, D] = k.shape as [number, number, number, number]
  const cap = keys.shape[2]!
  const reuses = (head: number): boolean => C === 1 && victim !== undefined && victim.data[head]! >= 0
  for (let head = 0; head < B * H; head++) {
    if (reuses(head) || count.data[head]! + C <= cap) continue
    fail(
      'TRIMKV_INVARIANT',
      `[kvAppend] head ${head} stores ${count.data[head]} of ${cap} slots, no room for ${C} more`,
    )
  }
  for (let b = 0; b < B; b++) {
    for (let c = 0; c < C; c++) {
      for (let h = 0; h < H; h++) {
        const head = b * H + h
        const slot = reuses(head) ? victim!.data[head]! : count.data[head]!++
        if (reuses(head)) victim!.data[head] = -1
        const from = ((b * C + c) * H + h) * D
        keys.data.set(k.data.subarray(from, from + D), (head * cap + slot) * D)
        values.data.set(v.data.subarray(from, from + D), (head * cap + slot) * D)
        slotIndex.data[head * cap + slot] = index.data[b * C + c]!
        out.data[(b * C + c) * H + h] = slot
      }
    }
  }
}
