import type { RefArray } from '../../op.ts'

export function concatLastRef(
  { a, b }: { readonly a: RefArray; readonly b: RefArray },
  { out }: { readonly out: RefArray },
): void {
  const [rows, heads, left] = a.shape as [number, number, number]
  const right = b.shape[2]!
  for (let i = 0; i < rows * heads; i++) {
    out.data.set(a.data.subarray(i * left, (i + 1) * left), i * (left + right))
    out.data.set(b.data.subarray(i * right, (i + 1) * right), i * (left + right) + left)
  }
}
