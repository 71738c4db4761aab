import type { RefArray } from '../../op.ts'
import type { SlotRandomAttrs } from './slot-random.ts'

/** Bijective mixing of 32 bits. */
function mix(x: number): number {
  let h = x
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** Hash of a sequence of 32-bit words. */
const hash = (words: readonly number[]): number =>
  words.reduce((h, word) => mix((Math.imul(h, 5) + word + 0x9e3779b9) | 0), 0)

export function slotRandomRef(
  { index }: { readonly index: RefArray },
  { out }: { readonly out: RefArray },
  { seed, layer, heads }: SlotRandomAttrs,
): void {
  for (let row = 0; row < index.data.length; row++) {
    for (let h = 0; h < heads; h++) {
      out.data[row * heads + h] = (hash([seed, layer, h, index.data[row]!]) >>> 8) / 2 ** 24
    }
  }
}
