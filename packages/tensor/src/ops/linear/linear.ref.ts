import type { RefArray } from '../../op.ts'
import { isQuantised, quantisedActivations } from '../../quantised.ts'

export function linearRef(
  t: {
    readonly x: RefArray
    readonly weight: RefArray
    readonly bias?: RefArray | undefined
    readonly residual?: RefArray | undefined
  },
  { out }: { readonly out: RefArray },
): void {
  const [rows, depth] = t.x.shape as [number, number]
  const columns = t.weight.shape[0]!
  const x = isQuantised(t.weight) ? quantisedActivations(t.x.data) : t.x.data
  for (let n = 0; n < rows; n++) {
    for (let o = 0; o < columns; o++) {
      let sum = t.bias?.data[o] ?? 0
      for (let k = 0; k < depth; k++) sum += x[n * depth + k]! * t.weight.data[o * depth + k]!
      out.data[n * columns + o] = sum + (t.residual?.data[n * columns + o] ?? 0)
    }
  }
}
