import type { RefArray } from '../../op.ts'
import type { RopeAttrs } from './rope.ts'

export function ropeRef(
  { x, table }: { readonly x: RefArray; readonly table: RefArray },
  { out }: { readonly out: RefArray },
  { inverse }: RopeAttrs,
): void {
  const [rows, heads, width] = x.shape as [number, number, number]
  const rotary = table.shape[1]!
  const half = rotary / 2
  out.data.set(x.data)
  for (let n = 0; n < rows; n++) {
    for (let h = 0; h < heads; h++) {
      const at = (n * heads + h) * width
      for (let i = 0; i < half; i++) {
        const [a, b] = [x.data[at + i]!, x.data[at + half + i]!]
        const [cos, sine] = [table.data[n * rotary + i]!, table.data[n * rotary + half + i]!]
        const sin = inverse ? -sine : sine
        out.data[at + i] = a * cos - b * sin
        out.data[at + half + i] = b * cos + a * sin
      }
    }
  }
}
