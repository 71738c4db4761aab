import type { RefArray } from '../../op.ts'

export function linearGradInputRef(
  { dy, weight }: { readonly dy: RefArray; readonly weight: RefArray },
  { out }: { readonly out: RefArray },
): void {
  const rows = dy.shape[0]!
  const [columns, depth] = weight.shape as [number, number]
  for (let n = 0; n < rows; n++) {
    for (let o = 0; o < columns; o++) {
      const grad = dy.data[n * columns + o]!
      for (let k = 0; k < depth; k++) {
        out.data[n * depth + k] = out.data[n * depth + k]! + grad * weight.data[o * depth + k]!
      }
    }
  }
}
