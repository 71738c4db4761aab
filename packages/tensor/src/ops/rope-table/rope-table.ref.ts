import type { RefArray } from '../../op.ts'

export function ropeTableRef(
  { positions, invFreq }: { readonly positions: RefArray; readonly invFreq: RefArray },
  { out }: { readonly out: RefArray },
  { scale }: { readonly scale: number },
): void {
  const count = positions.shape[0]!
  const [rows, half] = invFreq.shape as [number, number]
  for (let n = 0; n < count; n++) {
    const row = Math.floor((n * rows) / count)
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(Math.fround(positions.data[n]!) * Math.fround(invFreq.data[row * half + i]!))
      out.data[n * 2 * half + i] = Math.cos(angle) * scale
      out.data[n * 2 * half + half + i] = Math.sin(angle) * scale
    }
  }
}
