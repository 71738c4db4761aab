import { fail } from '../../errors.ts'
import type { RefArray, SlotValues } from '../../op.ts'
import type { PoolAttrs, PoolSlots } from './pool.ts'

function pooled(scores: Float64Array, center: number, { kernel, kind }: PoolAttrs): number {
  const half = (kernel - 1) / 2
  const window = scores.subarray(Math.max(0, center - half), center + half + 1)
  if (kind === 'avg') return window.reduce((a, b) => a + b, 0) / kernel
  return window.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
}

export function poolRef(
  { scores, count, slotIndex, seen }: SlotValues<PoolSlots, RefArray>,
  { out }: { readonly out: RefArray },
  attrs: PoolAttrs,
): void {
  const [, H, cap] = scores.shape as [number, number, number]
  out.data.set(scores.data)
  for (let head = 0; head < count.data.length; head++) {
    const index = slotIndex.data.subarray(head * cap, head * cap + count.data[head]!)
    if (index.some((token, j) => j > 0 && token <= index[j - 1]!)) {
      fail('TRIMKV_INVARIANT', `[pool] slots of head ${head} are not in token order`)
    }
    const oldest = seen.data[Math.floor(head / H)]! - attrs.exclude
    const candidates = index.filter((token) => token < oldest).length
    const from = scores.data.subarray(head * cap, head * cap + candidates)
    for (let j = 0; j < candidates; j++) out.data[head * cap + j] = pooled(from, j, attrs)
  }
}
