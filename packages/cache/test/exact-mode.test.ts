import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { policies } from '../src/policies/index.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape: CacheShape = { layers: 2, queryHeads: 4, kvHeads: 2, headDim: 4 }
const source = seededTokens(shape, 21)
const budget = 7

/** Algorithm 1 of the paper for one head: append, then drop the smallest β^(t−i), the oldest of equals. */
function algorithm1(layer: number, head: number, tokens: number): number[][] {
  let kept: number[] = []
  return Array.from({ length: tokens }, (_, t) => {
    kept.push(t)
    const score = (i: number): number => Math.fround((t - i) * source.logBeta(layer, i)[head]!)
    const victim = kept.reduce((worst, i) => (score(i) < score(worst) ? i : worst))
    if (kept.length > budget) kept = kept.filter((i) => i !== victim)
    return [...kept]
  })
}

describe('exact mode', () => {
  it('follows the algorithm of the paper token by token', () => {
    const backend = referenceTestBackend()
    const cache = createKvCache({
      storage: backend.storage,
      shape,
      policy: policies.trimkv,
      budget,
      mode: { mode: 'exact' },
    })
    const tokens = 80
    const kept = Array.from({ length: tokens }, () => {
      runForward({ backend, cache, shape, sources: [source] }, { newTokens: 1 })
      return cache.positions()
    })
    for (const [layer, head] of [0, 1].flatMap((l) => [0, 1].map((h) => [l, h] as const))) {
      expect(kept.map((step) => step[layer]![head])).toEqual(algorithm1(layer, head, tokens))
    }
    expect(cache.evictions).toBe(tokens - budget)
  })

  it('needs one program for all single tokens, and one slot beyond the budget', () => {
    const backend = referenceTestBackend()
    const cache = createKvCache({
      storage: backend.storage,
      shape,
      policy: policies.trimkv,
      budget,
      mode: { mode: 'exact' },
    })
    const keys = Array.from({ length: 20 }, () => {
      return runForward({ backend, cache, shape, sources: [source] }, { newTokens: 1 }).plan.key
    })
    expect(new Set(keys).size).toBe(1)
    expect(cache.slots).toBe(budget + 1)
    expect(cache.meter().peakEntries).toBe(budget + 1)
  })
})
