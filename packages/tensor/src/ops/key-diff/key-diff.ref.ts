import type { RefArray, SlotValues } from '../../op.ts'
import type { KeyDiffSlots } from './key-diff.ts'

const smallest = 1e-8

const norm = (x: Float64Array): number => Math.max(Math.sqrt(x.reduce((sum, v) => sum + v * v, 0)), smallest)

export function keyDiffRef(
  { keys, count }: SlotValues<KeyDiffSlots, RefArray>,
  { out }: { readonly out: RefArray },
): void {
  const [, , cap, D] = keys.shape as [number, number, number, number]
  for (let head = 0; head < count.data.length; head++) {
    const n = count.data[head]!
    const key = (j: number) => keys.data.subarray((head * cap + j) * D, (head * cap + j + 1) * D)
    const mean = new Float64Array(D)
    for (let j = 0; j < n; j++) {
      const length = norm(key(j))
      key(j).forEach((v, d) => {
        mean[d]! += v / length / n
      })
    }
    for (let j = 0; j < n; j++) {
      const dot = key(j).reduce((sum, v, d) => sum + v * mean[d]!, 0)
      out.data[head * cap + j] = -dot / (norm(key(j)) * norm(mean))
    }
  }
}
