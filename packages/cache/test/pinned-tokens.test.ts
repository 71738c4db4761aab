import { TrimError } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache, type KvArena } from '../src/kv-arena.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { policies } from '../src/policies/index.ts'
import { policyConstants } from '../src/resolved-policy.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { testConstants } from '../src/testing/test-rotary.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape: CacheShape = { layers: 2, queryHeads: 4, kvHeads: 2, headDim: 8, hiddenSize: 5 }
const budget = 80
const prompt = 120
const mode = { mode: 'buffered', buffer: 4 } as const

const texts = [
  ...Object.keys(policies).filter((name) => !['full', 'pyramidkv', 'kvzap'].includes(name)),
  'pyramidkv:window=8,beta=4',
  'kvzap:window=8',
  'criticalkv:base=knorm',
  'criticalkv:heads=pooled,window=4',
  'criticalkv:heads=pooled,base=knorm,share=0.9',
  'criticalkv:heads=pooled,when=decode,base=keydiff,safeguard=0',
  'chunkkv:base=knorm,chunk=6',
  'adakv:base=knorm,normalise=on,safeguard=0',
  'adakv:floor=mix,window=4',
  'pyramidkv:form=kvpress,ratio=0.9,window=8,beta=4',
  'finch:question=4,chunk=6',
  'knorm:attends=kept',
]

function cacheOf(text: string) {
  const backend = referenceTestBackend()
  const choice = { ...parsePolicy(text), budget, mode, shape }
  const constants = Object.entries(policyConstants(choice)).map(([name, { shape: size }]) => {
    const tensor = backend.storage.zeros({ dtype: 'f32', shape: size })
    backend.storage.write(tensor, testConstants(size))
    return [name, tensor] as const
  })
  const cache = createKvCache({
    ...choice,
    storage: backend.storage,
    capacity: prompt + 20,
    constants: Object.fromEntries(constants),
  })
  return { backend, cache, shape, rotate: true, sources: [seededTokens(shape, 7)] }
}

/** Pins as many tokens as the budget lets it. */
function pinMost(cache: KvArena<never>): number {
  for (let tokens = budget; ; tokens--) {
    try {
      cache.pin(0, tokens)
      return tokens
    } catch (error) {
      if (!TrimError.isInstance(error) || error.code !== 'TRIMKV_BUDGET_TOO_SMALL') throw error
    }
  }
}

describe.each([1, 4, undefined])('%s pinned tokens (nothing: all that fit)', (given) => {
  it.each(texts)('stay in every head: %s', (text) => {
    const at = cacheOf(text)
    if (given !== undefined) at.cache.pin(0, given)
    const pinned = given ?? pinMost(at.cache as unknown as KvArena<never>)
    expect(pinned).toBeGreaterThan(0)
    const wanted = Array.from({ length: pinned }, (_, i) => i)
    const steps = [{ newTokens: prompt, whole: true }, ...new Array(6).fill({ newTokens: 1 })]
    for (const step of steps) {
      runForward(at, step)
      for (const kept of at.cache.positions().flat()) expect(kept.slice(0, pinned)).toEqual(wanted)
    }
    expect(at.cache.stored()).toBeLessThan(at.cache.seen())
  })
})
