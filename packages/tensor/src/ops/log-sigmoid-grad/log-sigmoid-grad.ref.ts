import type { RefArray } from '../../op.ts'

export function logSigmoidGradRef(
  { x, bias, dy }: { readonly x: RefArray; readonly bias?: RefArray | undefined; readonly dy: RefArray },
  { out }: { readonly out: RefArray },
): void {
  const width = x.shape[1]!
  for (let i = 0; i < out.data.length; i++) {
    const z = x.data[i]! + (bias?.data[i % width] ?? 0)
    out.data[i] = dy.data[i]! / (1 + Math.exp(z))
  }
}
