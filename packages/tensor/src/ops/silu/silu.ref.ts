import type { RefArray } from '../../op.ts'

export function siluRef({ x }: { readonly x: RefArray }, { out }: { readonly out: RefArray }): void {
  for (let i = 0; i < out.data.length; i++) out.data[i] = x.data[i]! / (1 + Math.exp(-x.data[i]!))
}
