/** Finaliser of MurmurHash3: every input bit reaches every output bit. */
function mix(value: number): number {
  let h = value | 0
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/**
 * Draw number `index` of a seed, uniform in [0, 1) with 53 bits. Counter-based: a draw depends on the seed and its
 * number only, so a sequence draws the same whether it runs alone, in a batch or after a pause.
 * @param seed  integer 0 … 2³²−1
 * @param index integer ≥ 0
 * @see Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (the counter idea)
 */
export function uniformDraw(seed: number, index: number): number {
  const key = mix(seed ^ 0x9e3779b9)
  const high = mix(key + Math.imul(index, 0x9e3779b1))
  const low = mix(high ^ mix(key + index + 0x7f4a7c15))
  return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53
}
