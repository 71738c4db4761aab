import type { RefArray } from '../../op.ts'
import type { AccumulateAttrs } from './accumulate.ts'

export function accumulateRef(
  { into, x }: { readonly into: RefArray; readonly x: RefArray },
  _: Record<never, never>,
  { keep, scale }: AccumulateAttrs,
): void {
  for (let i = 0; i < into.data.length; i++) {
    into.data[i] = (keep === 0 ? 0 : keep * into.data[i]!) + scale * x.data[i]!
  }
}
