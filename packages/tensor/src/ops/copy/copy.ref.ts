import type { RefArray } from '../../op.ts'
import { roundTo } from '../../round.ts'

export function copyRef({ x }: { readonly x: RefArray }, { out }: { readonly out: RefArray }): void {
  for (let i = 0; i < out.data.length; i++) out.data[i] = roundTo(out.dtype, x.data[i]!)
}
