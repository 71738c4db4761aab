import { describe, expect, it } from 'vitest'
import { createKvCache } from '../src/kv-arena.ts'
import { policies } from '../src/policies/index.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape = { layers: 1, queryHeads: 2, kvHeads: 1, headDim: 4 }
const backend = referenceTestBackend()
const int = (values: number[], size: number[]) => {
  const tensor = backend.storage.zeros({ dtype: 'i32', shape: size })
  backend.storage.write(tensor, Int32Array.from(values))
  return tensor
}

/** What a cache asks the model for in the forward of a prompt and in the one after it. */
function asked(
  name: 'criticalkv' | 'expected-attention' | 'snapkv' | 'trimkv',
  options: Record<string, string | number>,
) {
  const cache = createKvCache({
    storage: backend.storage,
    shape,
    policy: policies[name],
    options,
    budget: 8,
    mode: { mode: 'buffered', buffer: 2 },
    capacity: 30,
  })
  const rotary = {
    invFreq: backend.storage.zeros({ dtype: 'f32', shape: [1, 2] }),
    scale: 1,
    offset: 0,
  }
  const needsOf = (newTokens: number) => {
    const plan = cache.plan({ newTokens, whole: true })
    const seen = cache.seen() + newTokens
    const index = int(new Array<number>(newTokens).fill(0), [1, newTokens])
    return cache.bind(backend.ops, plan, { index, seen: int([seen], [1]), rotary }).needs
  }
  const prompt = needsOf(20)
  runForward({ backend, cache, shape, sources: [seededTokens(shape, 1)] }, { newTokens: 20, whole: true })
  return [prompt, needsOf(1)]
}

describe('what a cache asks of a forward', () => {
  const none = { logBeta: false, outputNorm: false, rawQueries: false, input: false }

  it('is nothing that no part declares', () => {
    expect(asked('snapkv', { window: 2 })).toEqual([none, none])
    expect(asked('trimkv', {})).toEqual([
      { ...none, logBeta: true },
      { ...none, logBeta: true },
    ])
  })

  it('ends with the one cut after the prompt', () => {
    expect(asked('criticalkv', { window: 2 })).toEqual([{ ...none, outputNorm: true }, none])
    expect(asked('criticalkv', { base: 'expected' })).toEqual([
      { ...none, outputNorm: true, rawQueries: true },
      none,
    ])
    expect(asked('expected-attention', {})).toEqual([{ ...none, rawQueries: true }, none])
    expect(asked('trimkv', { when: 'prefill' })).toEqual([{ ...none, logBeta: true }, none])
  })

  it('needs the rotary embedding where keys turn', () => {
    const cache = createKvCache({
      storage: backend.storage,
      shape,
      policy: policies.streaming,
      options: { positions: 'slot' },
      budget: 8,
      mode: { mode: 'exact' },
    })
    const inputs = { index: int([0], [1, 1]), seen: int([1], [1]) }
    expect(cache.needs).toMatchObject({ rotary: true, slotPositions: true })
    expect(() => cache.bind(backend.ops, cache.plan({ newTokens: 1 }), inputs)).toThrow(/rotary embedding/)
  })

  it('turns no half-precision key at every step', () => {
    const options = { storage: backend.storage, shape, policy: policies.streaming, budget: 8 } as const
    const half = { ...options, options: { positions: 'slot' }, kvDtype: 'bf16' } as const
    expect(() => createKvCache({ ...half, mode: { mode: 'exact' } })).toThrow(
      /cannot store bf16 keys in exact mode/,
    )
    createKvCache({ ...half, mode: { mode: 'buffered', buffer: 4 } })[Symbol.dispose]()
  })
})
