import type { Ops } from '@trimkv/tensor'

/** Adds tensors of one shape in their order; what is absent counts as zero. */
export function sumOf<T>(ops: Ops<T>, terms: readonly (T | undefined)[]): T | undefined {
  return terms.reduce<T | undefined>((sum, term) => {
    if (sum === undefined || term === undefined) return sum ?? term
    return ops.mix({ a: sum, b: term }, { a: 1, b: 1 })
  }, undefined)
}
