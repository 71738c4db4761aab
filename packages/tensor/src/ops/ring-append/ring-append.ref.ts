import type { RefArray, SlotValues } from '../../op.ts'
import type { RingAppendSlots } from './ring-append.ts'

export function ringAppendRef({ q, index, ring }: SlotValues<RingAppendSlots, RefArray>): void {
  const [B, C, Hq, D] = q.shape as [number, number, number, number]
  const w = ring.shape[1]!
  const width = Hq * D
  for (let b = 0; b < B; b++) {
    for (let c = Math.max(0, C - w); c < C; c++) {
      const from = (b * C + c) * width
      const row = index.data[b * C + c]! % w
      ring.data.set(q.data.subarray(from, from + width), (b * w + row) * width)
    }
  }
}
