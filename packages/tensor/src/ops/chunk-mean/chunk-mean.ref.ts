import type { RefArray, SlotValues } from '../../op.ts'
import type { ChunkMeanAttrs, ChunkMeanSlots } from './chunk-mean.ts'

export function chunkMeanRef(
  { scores, count }: SlotValues<ChunkMeanSlots, RefArray>,
  { out }: { readonly out: RefArray },
  { length }: ChunkMeanAttrs,
): void {
  const cap = scores.shape[2]!
  out.data.set(scores.data)
  count.data.forEach((n, head) => {
    for (let first = 0; first < n; first += length) {
      const chunk = scores.data.subarray(head * cap + first, head * cap + Math.min(first + length, n))
      const mean = chunk.reduce((a, b) => a + b, 0) / chunk.length
      out.data.fill(mean, head * cap + first, head * cap + first + chunk.length)
    }
  })
}
