import type { RefArray } from '../../op.ts'

export function linearGradWeightRef(
  { dy, x }: { readonly dy: RefArray; readonly x: RefArray },
  { out }: { readonly out: RefArray },
): void {
  const [rows, columns] = dy.shape as [number, number]
  const depth = x.shape[1]!
  for (let n = 0; n < rows; n++) {
    for (let o = 0; o < columns; o++) {
      const grad = dy.data[n * columns + o]!
      for (let k = 0; k < depth; k++) {
        out.data[o * depth + k] = out.data[o * depth + k]! + grad * x.data[n * depth + k]!
      }
    }
  }
}
