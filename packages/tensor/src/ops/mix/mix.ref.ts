import type { RefArray } from '../../op.ts'

export function mixRef(
  { a, b }: { readonly a: RefArray; readonly b: RefArray },
  { out }: { readonly out: RefArray },
  weights: { readonly a: number; readonly b: number },
): void {
  for (let i = 0; i < out.data.length; i++) out.data[i] = weights.a * a.data[i]! + weights.b * b.data[i]!
}
