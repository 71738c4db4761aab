import type { RefArray, SlotValues } from '../../op.ts'
import type { ProjectedNormSlots } from './projected-norm.ts'

export function projectedNormRef(
  { v, weight }: SlotValues<ProjectedNormSlots, RefArray>,
  { out }: { readonly out: RefArray },
): void {
  const [, , H, D] = v.shape as [number, number, number, number]
  const [E, width] = weight.shape as [number, number]
  const G = width / D / H
  for (let row = 0; row < out.data.length; row++) {
    const value = v.data.subarray(row * D, (row + 1) * D)
    const firstHead = (row % H) * G
    let sum = 0
    for (let head = firstHead; head < firstHead + G; head++) {
      for (let e = 0; e < E; e++) {
        const from = weight.data.subarray(e * width + head * D, e * width + (head + 1) * D)
        sum += Math.abs(from.reduce((dot, x, d) => dot + x * value[d]!, 0))
      }
    }
    out.data[row] = sum / G
  }
}
