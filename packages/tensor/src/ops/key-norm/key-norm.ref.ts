import type { RefArray } from '../../op.ts'

export function keyNormRef(
  { k }: { readonly k: RefArray },
  { out }: { readonly out: RefArray },
  { log }: { readonly log: boolean },
): void {
  const D = k.shape[3]!
  for (let row = 0; row < out.data.length; row++) {
    let sum = 0
    for (let d = 0; d < D; d++) sum += k.data[row * D + d]! ** 2
    out.data[row] = log ? Math.log(Math.max(Math.sqrt(sum), 1e-12)) : Math.sqrt(sum)
  }
}
