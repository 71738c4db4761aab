import { fail } from '../../errors.ts'
import type { RefArray, SlotValues } from '../../op.ts'
import type { RingTokensAttrs, RingTokensSlots } from './ring-tokens.ts'

export function ringTokensRef(
  { seen }: SlotValues<RingTokensSlots, RefArray>,
  { out }: { readonly out: RefArray },
  { window, first }: RingTokensAttrs,
): void {
  out.data.fill(-1)
  seen.data.forEach((tokens, b) => {
    if (tokens < 0) fail('TRIMKV_INVARIANT', `[ringTokens] sequence ${b} has seen ${tokens} tokens`)
    for (let i = Math.max(0, tokens - window); i < tokens; i++)
      out.data[b * window + (i % window)] = i + first
  })
}
