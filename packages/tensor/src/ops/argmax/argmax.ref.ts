import type { RefArray } from '../../op.ts'

export function argmaxRef({ x }: { readonly x: RefArray }, { out }: { readonly out: RefArray }): void {
  const [rows, width] = x.shape as [number, number]
  for (let n = 0; n < rows; n++) {
    let best = -1
    for (let i = 0; i < width; i++) {
      const value = x.data[n * width + i]!
      if (!Number.isNaN(value) && (best < 0 || value > x.data[n * width + best]!)) best = i
    }
    out.data[n] = Math.max(best, 0)
  }
}
