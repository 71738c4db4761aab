import type { RefArray } from '../../op.ts'

export function tokenLogProbRef(
  { logits, targets }: { readonly logits: RefArray; readonly targets: RefArray },
  { out }: { readonly out: RefArray },
): void {
  const [rows, width] = logits.shape as [number, number]
  for (let n = 0; n < rows; n++) {
    const row = logits.data.subarray(n * width, (n + 1) * width)
    const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const sum = row.reduce((a, b) => a + Math.exp(b - top), 0)
    out.data[n] = row[targets.data[n]!]! - top - Math.log(sum)
  }
}
