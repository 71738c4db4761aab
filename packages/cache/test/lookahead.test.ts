import { describe, expect, it } from 'vitest'
import { createKvCache } from '../src/kv-arena.ts'
import { policies } from '../src/policies/index.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape = { layers: 1, queryHeads: 2, kvHeads: 2, headDim: 4 }

/** log of what is left of a token over the steps ahead, summed term by term. */
const gain = (logBeta: number, age: number, ahead: number): number =>
  Math.log(
    Array.from({ length: ahead }, (_, s) => Math.exp(logBeta * (age + 1 + s))).reduce((a, b) => a + b, 0),
  )

describe.each([
  { mode: { mode: 'exact' } as const, offset: 0 },
  { mode: { mode: 'buffered', buffer: 4 } as const, offset: 2 },
])('trimkv with lookahead, $mode.mode', ({ mode, offset }) => {
  it.each([2, 16])('over %i steps keeps the tokens of the largest sums', (lookahead) => {
    const backend = referenceTestBackend()
    const budget = 6
    const cache = createKvCache({
      storage: backend.storage,
      shape,
      policy: policies.trimkv,
      options: { lookahead },
      budget,
      mode,
    })
    const source = seededTokens(shape, 3)
    const at = { backend, cache, shape, sources: [source] }
    const kept: number[][] = [[], []]
    for (let seen = 1; seen <= 40; seen++) {
      const { plan } = runForward(at, { newTokens: 1 })
      kept.forEach((tokens, head) => {
        tokens.push(seen - 1)
        if (!plan.due[0]) return
        const rated = tokens.map((token) => {
          const logBeta = source.logBeta(0, token)[head]!
          return { token, score: gain(logBeta, seen - 1 + offset - token, lookahead) }
        })
        rated.sort((a, b) => b.score - a.score || b.token - a.token)
        kept[head] = rated
          .slice(0, budget)
          .map(({ token }) => token)
          .sort((a, b) => a - b)
      })
      expect(cache.positions()[0]).toEqual(kept)
    }
  })
})
