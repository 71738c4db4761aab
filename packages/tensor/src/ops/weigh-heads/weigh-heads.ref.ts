import type { RefArray, SlotValues } from '../../op.ts'
import { isProtected } from '../../slot-score.ts'
import type { WeighHeadsAttrs, WeighHeadsSlots } from './weigh-heads.ts'

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

export function weighHeadsRef(
  { scores, slotIndex, count, seen }: SlotValues<WeighHeadsSlots, RefArray>,
  { out }: { readonly out: RefArray },
  { slots, first, last }: WeighHeadsAttrs,
): void {
  const [, H, cap] = scores.shape as [number, number, number]
  out.data.set(scores.data)
  count.data.forEach((n, head) => {
    const stored = Array.from({ length: n }, (_, slot) => head * cap + slot)
    const read = seen.data[Math.floor(head / H)]!
    const counted = stored
      .filter((at) => !isProtected({ first, last }, slotIndex.data[at]!, read))
      .map((at) => scores.data[at]!)
    const share = sum(counted.toSorted((a, b) => b - a).slice(0, slots)) / sum(counted)
    if (Number.isFinite(share)) for (const at of stored) out.data[at] = scores.data[at]! * share
  })
}
