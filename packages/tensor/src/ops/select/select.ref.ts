import type { RefArray, SlotValues } from '../../op.ts'
import type { SelectAttrs, SelectSlots } from './select.ts'

export function selectRef(
  { scores, slotIndex, count, quota }: SlotValues<SelectSlots, RefArray>,
  { out }: { readonly out: RefArray },
  { budget, part = { share: 1, least: 0 } }: SelectAttrs,
): void {
  const cap = scores.shape[2]!
  const most = (quota: number): number =>
    Math.min(budget, Math.max(Math.min(part.least, quota), Math.floor(part.share * quota)))
  out.data.fill(-1)
  for (let head = 0; head < count.data.length; head++) {
    const slots = Array.from({ length: count.data[head]! }, (_, slot) => {
      const score = scores.data[head * cap + slot]!
      return {
        slot,
        score: Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score,
        index: slotIndex.data[head * cap + slot]!,
      }
    })
    slots.sort((a, b) => (a.score === b.score ? b.index - a.index : a.score < b.score ? 1 : -1))
    const kept = slots.slice(0, quota ? most(quota.data[head]!) : budget).map((s) => s.slot)
    out.data.set(
      kept.sort((a, b) => a - b),
      head * budget,
    )
  }
}
