import type { RefArray } from '../../op.ts'

export function sumRowsRef({ x }: { readonly x: RefArray }, { out }: { readonly out: RefArray }): void {
  const [rows, columns] = x.shape as [number, number]
  for (let n = 0; n < rows; n++) {
    for (let c = 0; c < columns; c++) out.data[c] = out.data[c]! + x.data[n * columns + c]!
  }
}
