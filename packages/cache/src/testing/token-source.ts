import type { CacheShape } from '../cache-shape.ts'

/** What a model would compute for the tokens of one sequence: rows by layer and index. */
export interface TokenSource {
  /** [Hq, D] */
  q(layer: number, index: number): Float32Array
  /** [H, D] */
  k(layer: number, index: number): Float32Array
  /** [H, D] */
  v(layer: number, index: number): Float32Array
  /** [H], ≤ 0 */
  logBeta(layer: number, index: number): Float32Array
  /** [W] */
  input(layer: number, index: number): Float32Array
}

/** Uniform numbers in [0, 1) from integers: the same for the same key, whatever was asked before. */
function hashUniform(key: readonly number[]): () => number {
  let state = key.reduce(
    (hash, word) => Math.imul(hash ^ (word + 0x9e3779b9), 0x85ebca6b) ^ (hash >>> 13),
    0x27d4eb2f,
  )
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const signals = { q: 1, k: 2, v: 3, logBeta: 4, input: 5 } as const

/** Random rows that depend on (seed, layer, index) only, so that any split into chunks feeds the same tokens. */
export function seededTokens(shape: CacheShape, seed: number): TokenSource {
  const row = (signal: keyof typeof signals, count: number) => (layer: number, index: number) => {
    const next = hashUniform([seed, signals[signal], layer, index])
    return Float32Array.from({ length: count }, () => 4 * next() - 2)
  }
  const raw = row('logBeta', shape.kvHeads)
  return {
    q: row('q', shape.queryHeads * shape.headDim),
    k: row('k', shape.kvHeads * shape.headDim),
    v: row('v', shape.kvHeads * shape.headDim),
    input: row('input', shape.hiddenSize ?? 0),
    logBeta: (layer, index) => raw(layer, index).map((x) => -Math.exp(2 * x)),
  }
}
