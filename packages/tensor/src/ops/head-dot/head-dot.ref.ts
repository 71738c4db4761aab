import type { RefArray, SlotValues } from '../../op.ts'
import type { HeadDotAttrs, HeadDotSlots } from './head-dot.ts'

export function headDotRef(
  { k, direction }: SlotValues<HeadDotSlots, RefArray>,
  { out }: { readonly out: RefArray },
  { scale }: HeadDotAttrs,
): void {
  const [, , H, D] = k.shape as [number, number, number, number]
  for (let row = 0; row < out.data.length; row++) {
    const to = direction.data.subarray((row % H) * D, (row % H) * D + D)
    out.data[row] = scale * to.reduce((sum, x, d) => sum + x * k.data[row * D + d]!, 0)
  }
}
