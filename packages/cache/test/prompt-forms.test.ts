import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape: CacheShape = { layers: 1, queryHeads: 4, kvHeads: 2, headDim: 8 }
const source = seededTokens(shape, 31)
const tokens = 40
const budget = 15

/** Attention of one query head: row t, column j ≤ t. */
function probabilities(queryHead: number): number[][] {
  const D = shape.headDim
  const head = Math.floor(queryHead / 2)
  return Array.from({ length: tokens }, (_, t) => {
    const q = source.q(0, t).subarray(queryHead * D, (queryHead + 1) * D)
    const weights = Array.from({ length: t + 1 }, (__, j) => {
      const k = source.k(0, j).subarray(head * D, (head + 1) * D)
      return Math.exp(k.reduce((dot, x, d) => dot + x * q[d]!, 0) / Math.sqrt(D))
    })
    const sum = weights.reduce((a, b) => a + b, 0)
    return weights.map((weight) => weight / sum)
  })
}

const perQueryHead = Array.from({ length: shape.queryHeads }, (_, queryHead) => probabilities(queryHead))
const groupOf = (head: number): number[][][] => perQueryHead.slice(2 * head, 2 * head + 2)
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
const allTokens = Array.from({ length: tokens }, (_, j) => j)

/** A row of a token for one key/value head. */
const row = (signal: 'k' | 'v', head: number, j: number): Float32Array =>
  source[signal](0, j).subarray(head * shape.headDim, (head + 1) * shape.headDim)
const shortness = (head: number, j: number): number => -Math.hypot(...row('k', head, j))
/** How many tokens are rated above one. */
const rank = (rate: (i: number) => number, j: number): number =>
  allTokens.filter((i) => rate(i) > rate(j)).length

/** What each form of kvpress would rate a token with. */
const forms: Readonly<Record<string, (head: number, j: number) => number>> = {
  tova: (_, j) => (j === tokens - 1 ? 2 : mean(perQueryHead.map((rows) => rows[tokens - 1]![j]!))),
  h2o: (head, j) =>
    mean(groupOf(head).map((rows) => rows.slice(j).reduce((sum, row) => sum + row[j]!, 0))) / (tokens - j),
  'snapkv:window=6,kernel=3': (head, j) => {
    const [window, candidates] = [6, tokens - 6]
    if (j >= candidates) return 2
    const rating = (i: number): number =>
      i < 0 || i >= candidates
        ? 0
        : mean(groupOf(head).map((rows) => mean(rows.slice(-window).map((row) => row[i]!))))
    return mean([rating(j - 1), rating(j), rating(j + 1)])
  },
  // 15 tokens: the best two stretches of 6, and the newest 3 of the third; the last stretch has 4.
  'chunkkv:base=knorm,chunk=6': (_, j) => {
    const stretch = allTokens.filter((i) => Math.floor(i / 6) === Math.floor(j / 6))
    return mean(stretch.map((i) => shortness(0, i) + shortness(1, i)))
  },
  'criticalkv:base=knorm,share=0.4,epsilon=3': (head, j) => {
    // 0.4 of 15 tokens; norms stand for those of the output.
    if (rank((i) => shortness(head, i), j) < 6) return Number.MAX_VALUE
    return (shortness(head, j) + 3) * row('v', head, j).reduce((sum, x) => sum + Math.abs(x), 0)
  },
}

describe('cuts after the whole prompt', () => {
  it.each(Object.keys(forms))('%s keeps what its definition keeps', (text) => {
    const { policy, options } = parsePolicy(text)
    const backend = referenceTestBackend()
    const given = { ...options, when: 'prefill' }
    const mode = { mode: 'exact' } as const
    const cache = createKvCache({
      storage: backend.storage,
      shape,
      policy,
      options: given,
      budget,
      mode,
      capacity: 20,
    })
    runForward({ backend, cache, shape, sources: [source] }, { newTokens: tokens, whole: true })
    const wanted = [0, 1].map((head) => {
      const rate = (j: number): number => forms[text]!(head, j)
      return allTokens
        .toSorted((a, b) => rate(b) - rate(a) || b - a)
        .slice(0, budget)
        .sort((a, b) => a - b)
    })
    expect(cache.positions()[0]).toEqual(wanted)
  })
})
