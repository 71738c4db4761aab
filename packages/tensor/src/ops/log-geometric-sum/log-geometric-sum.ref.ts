import type { RefArray } from '../../op.ts'

export function logGeometricSumRef(
  { x }: { readonly x: RefArray },
  { out }: { readonly out: RefArray },
  { terms }: { readonly terms: number },
): void {
  x.data.forEach((log, i) => {
    out.data[i] =
      log === 0
        ? Math.log(terms)
        : Math.log(Math.abs(Math.expm1(terms * log))) - Math.log(Math.abs(Math.expm1(log)))
  })
}
