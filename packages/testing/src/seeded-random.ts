/** Seeded source of numbers: the same seed gives the same sequence everywhere. */
export interface SeededRandom {
  /** Uniform in [0, 1), 32 bits of it. */
  next(): number
  /** Integer in [low, high], both included. */
  int(low: number, high: number): number
  /** Standard normal. */
  normal(): number
}

const rotate = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits))

/** Spreads a seed over all bits of a word; the state below must not be zero. */
function* words(seed: number): Generator<number, never> {
  for (let state = seed | 0; ; ) {
    state = (state + 0x9e3779b9) | 0
    let word = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    word = Math.imul(word ^ (word >>> 15), 0x735a2d97)
    yield word ^ (word >>> 15)
  }
}

/**
 * xoshiro128**, seeded through a mixing function.
 * @see Blackman & Vigna 2021, Scrambled Linear Pseudorandom Number Generators
 */
export function seededRandom(seed: number): SeededRandom {
  const source = words(seed)
  let [a, b, c, d] = [source.next().value, source.next().value, source.next().value, source.next().value]
  const next = (): number => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9)
    const shifted = b << 9
    c ^= a
    d ^= b
    b ^= c
    a ^= d
    c ^= shifted
    d = rotate(d, 11)
    return (result >>> 0) / 2 ** 32
  }
  return {
    next,
    int: (low, high) => low + Math.floor(next() * (high - low + 1)),
    // Box-Muller; 1 − u keeps the logarithm finite.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  }
}
