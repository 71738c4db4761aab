import type { RefArray, SlotValues } from '../../op.ts'
import type { CompactAttrs, CompactSlots } from './compact.ts'

/** Pairs [from, to] of slots, in an order in which no row is overwritten before it is read. */
function moves(kept: readonly number[], ordered: boolean): [number, number][] {
  if (ordered) return kept.map((from, to) => [from, to])
  const m = kept.length
  const staying = new Set(kept)
  const holes = Array.from({ length: m }, (_, slot) => slot).filter((slot) => !staying.has(slot))
  return kept.filter((slot) => slot >= m).map((from, j) => [from, holes[j]!])
}

export function compactRef(
  { kept, data }: SlotValues<CompactSlots, RefArray>,
  _: unknown,
  { ordered }: CompactAttrs,
): void {
  const [B, H, budget] = kept.shape as [number, number, number]
  const [, , cap, W = 1] = data.shape as [number, number, number, number?]
  for (let head = 0; head < B * H; head++) {
    const slots = [...kept.data.subarray(head * budget, (head + 1) * budget)].filter((slot) => slot >= 0)
    for (const [from, to] of moves(slots, ordered)) {
      data.data.copyWithin((head * cap + to) * W, (head * cap + from) * W, (head * cap + from + 1) * W)
    }
  }
}
