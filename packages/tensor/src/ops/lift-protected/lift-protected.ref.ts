import type { RefArray, SlotValues } from '../../op.ts'
import { isProtected, type ProtectedRange } from '../../slot-score.ts'
import type { LiftProtectedSlots } from './lift-protected.ts'

export function liftProtectedRef(
  { scores, slotIndex, count, seen }: SlotValues<LiftProtectedSlots, RefArray>,
  { out }: { readonly out: RefArray },
  range: ProtectedRange,
): void {
  const [B, H, cap] = scores.shape as [number, number, number]
  out.data.set(scores.data)
  for (let b = 0; b < B; b++) {
    const stored = Array.from({ length: H }, (_, h) => (b * H + h) * cap).flatMap((first, h) =>
      Array.from({ length: count.data[b * H + h]! }, (_, slot) => first + slot),
    )
    const lifted = (at: number): boolean => isProtected(range, slotIndex.data[at]!, seen.data[b]!)
    const others = stored.filter((at) => !lifted(at)).map((at) => scores.data[at]!)
    const top = others.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY)
    for (const at of stored.filter(lifted)) out.data[at] = others.length === 0 ? 1 : top + 1
  }
}
