import { fail } from '../../errors.ts'
import type { RefArray } from '../../op.ts'

export function tokenLogProbRef(
  { logits, targets }: { readonly logits: RefArray; readonly targets: RefArray },
  { out }: { readonly out: RefArray },
): void {
  const [rows, width] = logits.shape as [number, number]
  for (let n = 0; n < rows; n++) {
    const target = targets.data[n]!
    if (target < 0 || target >= width) {
      fail('TRIMKV_TOKEN_RANGE', `[tokenLogProb] target ${target} is outside 0…${width - 1}`)
    }
    const row = logits.data.subarray(n * width, (n + 1) * width)
    const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    const sum = row.reduce((a, b) => a + Math.exp(b - top), 0)
    out.data[n] = row[target]! - top - Math.log(sum)
  }
}
