import { fail } from '../../errors.ts'
import type { RefArray, SlotValues } from '../../op.ts'
import type { ShareHeadsSlots } from './share-heads.ts'

export function shareHeadsRef(
  { scores, count }: SlotValues<ShareHeadsSlots, RefArray>,
  { out }: { readonly out: RefArray },
): void {
  const [B, H, cap] = scores.shape as [number, number, number]
  out.data.set(scores.data)
  for (let b = 0; b < B; b++) {
    const counts = count.data.subarray(b * H, (b + 1) * H)
    if (counts.some((n) => n !== counts[0])) {
      fail(
        'TRIMKV_INVARIANT',
        `[shareHeads] heads of sequence ${b} store different numbers of slots: ${counts.join(', ')}`,
      )
    }
    for (let j = 0; j < (counts[0] ?? 0); j++) {
      let sum = 0
      for (let h = 0; h < H; h++) sum += scores.data[(b * H + h) * cap + j]!
      for (let h = 0; h < H; h++) out.data[(b * H + h) * cap + j] = sum / H
    }
  }
}
