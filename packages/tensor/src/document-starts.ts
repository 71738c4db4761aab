import { fail } from './errors.ts'
import type { RefArray } from './op.ts'

/**
 * `start[b·T + t]`, the index in row b of the first token that token t sees: the first one of its document. Zeros where
 * no starts are given. Twin of native/core/document-starts.h.
 * @throws TRIMKV_INVARIANT unless starts never fall along a row and 0 ≤ start[t] ≤ t
 */
export function documentStarts(
  op: string,
  start: RefArray | undefined,
  [rows, length]: readonly [number, number],
): Float64Array {
  if (!start) return new Float64Array(rows * length)
  for (let b = 0; b < rows; b++) {
    let least = 0
    for (let t = 0; t < length; t++) {
      const first = start.data[b * length + t]!
      if (!(first >= least && first <= t)) {
        fail('TRIMKV_INVARIANT', `[${op}] start ${first} of token ${t} in row ${b} is outside ${least}…${t}`)
      }
      least = first
    }
  }
  return start.data
}
