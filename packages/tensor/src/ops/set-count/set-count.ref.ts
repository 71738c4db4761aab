import type { RefArray } from '../../op.ts'

export function setCountRef(
  { count }: { readonly count: RefArray },
  _: unknown,
  { value }: { readonly value: number },
): void {
  count.data.fill(value)
}
