import type { RefArray } from '../../op.ts'

export function siluGradRef(
  { x, dy }: { readonly x: RefArray; readonly dy: RefArray },
  { out }: { readonly out: RefArray },
): void {
  for (let i = 0; i < out.data.length; i++) {
    const s = 1 / (1 + Math.exp(-x.data[i]!))
    out.data[i] = dy.data[i]! * s * (1 + x.data[i]! * (1 - s))
  }
}
