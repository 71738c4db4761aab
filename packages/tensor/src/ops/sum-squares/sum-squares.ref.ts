import type { RefArray } from '../../op.ts'

export function sumSquaresRef({ x }: { readonly x: RefArray }, { out }: { readonly out: RefArray }): void {
  out.data[0] = x.data.reduce((sum, value) => sum + value * value, 0)
}
