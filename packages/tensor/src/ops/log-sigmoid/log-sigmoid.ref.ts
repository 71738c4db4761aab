import type { RefArray } from '../../op.ts'

export function logSigmoidRef(
  { x, bias }: { readonly x: RefArray; readonly bias?: RefArray | undefined },
  { out }: { readonly out: RefArray },
): void {
  const width = x.shape[1]!
  for (let i = 0; i < out.data.length; i++) {
    const z = x.data[i]! + (bias?.data[i % width] ?? 0)
    out.data[i] = Math.min(z, 0) - Math.log1p(Math.exp(-Math.abs(z)))
  }
}
