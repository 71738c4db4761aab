import type { RefArray } from '../../op.ts'
import type { FmaChainAttrs } from './fma-chain.ts'

export function fmaChainRef(
  { x }: { readonly x: RefArray },
  { out }: { readonly out: RefArray },
  { factor, term, rounds }: FmaChainAttrs,
): void {
  for (let i = 0; i < out.data.length; i++) {
    let value = x.data[i]!
    for (let round = 0; round < rounds; round++) value = factor * value + term
    out.data[i] = value
  }
}
