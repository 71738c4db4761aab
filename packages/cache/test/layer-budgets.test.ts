import { describe, expect, it } from 'vitest'
import { createKvCache } from '../src/kv-arena.ts'
import { policies } from '../src/policies/index.ts'
import { definePolicy, type Policy, perLayer } from '../src/policy.ts'
import { resolvePolicy } from '../src/resolved-policy.ts'
import { recency } from '../src/score.ts'
import { policyChecks } from '../src/testing/policy-conformance.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape = { layers: 2, queryHeads: 2, kvHeads: 2, headDim: 4 }
const exact = { mode: 'exact' } as const

/** More in the first layers than in the last. */
const falling = (budgets: (budget: number, layers: number) => number[]): Policy =>
  definePolicy({
    name: 'falling',
    source: 'test',
    phases: ['decode', 'prefill-agnostic'],
    options: {},
    parts: (_, { budget, shape: { layers } }) => ({
      score: recency(),
      allocate: perLayer(budgets(budget, layers)),
    }),
  })

describe('a policy with a budget for each layer', () => {
  const halved = falling((budget, layers) =>
    Array.from({ length: layers }, (_, l) => budget + 2 * (layers - l)),
  )
  for (const check of policyChecks(halved)) it(check.name, () => expect(check.run()).toEqual([]))

  it('keeps in each layer what it was given', () => {
    const backend = referenceTestBackend()
    const policy = falling(() => [7, 3])
    const cache = createKvCache({
      storage: backend.storage,
      shape,
      policy,
      budget: 5,
      mode: exact,
      capacity: 30,
    })
    const at = { backend, cache, shape, sources: [seededTokens(shape, 1)] }
    runForward(at, { newTokens: 20 })
    runForward(at, { newTokens: 1 })
    expect(cache.stored()).toBe(5)
    expect(cache.positions().map((heads) => heads[0]!.length)).toEqual([7, 3])
    expect(cache.evictions).toBe(16)
    expect(cache.meter()).toMatchObject({ entries: 5, logicalBytes: 5 * 2 * 2 * 2 * 4 * 4 })
  })

  it('is refused with a number that does not fit the model, and with slot positions', () => {
    const choice = { options: { when: 'decode' }, budget: 5, mode: exact, shape }
    expect(() => resolvePolicy({ ...choice, policy: falling(() => [4]) })).toThrow(
      /perLayer needs 2 integers/,
    )
    const slots = { ...choice, options: { positions: 'slot' }, policy: falling(() => [4, 4]) }
    expect(() => resolvePolicy(slots)).toThrow(/positions=slot is not possible here/)
  })
})

describe('pyramidkv', () => {
  /** What a prompt of so many tokens leaves in each layer. */
  const keep = (
    tokens: number,
    options: Record<string, number | string>,
    budget: number,
  ): readonly number[] => {
    const sizes = { ...shape, layers: 5 }
    const { eviction } = resolvePolicy({
      policy: policies.pyramidkv,
      options,
      budget,
      mode: exact,
      shape: sizes,
    })
    const { shares } = eviction!
    if (shares?.kind !== 'perLayer') throw new Error('a pyramid has a budget for each layer')
    const { budgets, keep: of } = shares
    const kept = of!(tokens)
    kept.forEach((n, layer) => {
      expect(n).toBeLessThanOrEqual(budgets[layer]!)
    })
    return kept
  }

  it('shares out whole numbers as the paper does', () => {
    // C = 40, w = 8, β = 4: 32 scored in the mean, from 64 − 8 = 56 down in steps of ⌊(56 − 8)/4⌋ = 12.
    const options = { window: 8, beta: 4 }
    expect(keep(1000, options, 40)).toEqual([64, 52, 40, 28, 16])
    // A prompt of 64 … leaves room for w tokens less than itself.
    expect(keep(64, options, 40)).toEqual([64, 52, 40, 28, 16])
    expect(keep(63, options, 40)).toEqual([40, 40, 40, 40, 40])
    expect(keep(30, options, 40)).toEqual([30, 30, 30, 30, 30])
  })

  it('rounds as kvpress does, and falls back to an even share', () => {
    const options = { window: 8, beta: 3, form: 'kvpress', ratio: 0.6 }
    // 38.4 in the mean: from 64 to 12.8.
    expect(keep(96, options, 39)).toEqual([64, 51, 38, 26, 13])
    expect(keep(96, { ...options, window: 16 }, 39)).toEqual([38, 38, 38, 38, 38])
    expect(keep(960, options, 39)).toEqual([65, 52, 39, 26, 13])
  })
})
