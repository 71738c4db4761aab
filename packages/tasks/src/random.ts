/** A seeded source of choices. The same names and numbers give the same choices on every machine. */
export interface Random {
  /** A number in [0, 1) with 32 random bits. */
  next(): number
  /** An integer in [0, below). */
  int(below: number): number
  pick<T>(from: readonly T[]): T
  /** A new array; the given one stays as it is. */
  shuffle<T>(items: readonly T[]): T[]
  /** `count` different places of the array, in random order. */
  sample<T>(from: readonly T[], count: number): T[]
}

/** Four 32-bit words from a text (FNV-1a, finished as MurmurHash3 does). */
function seedWords(text: string): Uint32Array {
  return Uint32Array.from([1, 2, 3, 4], (salt) => {
    let hash = 0x811c9dc5 ^ salt
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
    return hash ^ (hash >>> 16)
  })
}

const rotateLeft = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))

/**
 * One stream of choices per key: streams with different keys have nothing in common.
 * @see Blackman & Vigna 2021, xoshiro128**
 */
export function createRandom(key: string): Random {
  const state = seedWords(key)
  const next = (): number => {
    const [a, b, c, d] = state as unknown as [number, number, number, number]
    const out = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9)
    const mixed = c ^ a
    const last = d ^ b
    state[1] = b ^ mixed
    state[0] = a ^ last
    state[2] = mixed ^ (b << 9)
    state[3] = rotateLeft(last, 11)
    return (out >>> 0) / 2 ** 32
  }
  const int = (below: number): number => Math.floor(next() * below)
  const sample = <T>(from: readonly T[], count: number): T[] => {
    const items = [...from]
    for (let i = 0; i < count; i++) {
      const j = i + int(items.length - i)
      ;[items[i], items[j]] = [items[j] as T, items[i] as T]
    }
    return items.slice(0, count)
  }
  return {
    next,
    int,
    pick: (from) => from[int(from.length)] as (typeof from)[number],
    shuffle: (items) => sample(items, items.length),
    sample,
  }
}
