import { describe, expect, it } from 'vitest'
import { createKvCache } from '../src/kv-arena.ts'
import type { GivenOptions } from '../src/option-schema.ts'
import { policies } from '../src/policies/index.ts'
import type { Policy } from '../src/policy.ts'
import { policyChecks } from '../src/testing/policy-conformance.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

/** Forms that their policy does not take by default. */
const forms: readonly [string, Policy, GivenOptions][] = [
  ['adakv as in its repository', policies.adakv, { floor: 'mix', window: 4, kernel: 3, pool: 'max' }],
  ['adakv over short keys', policies.adakv, { base: 'knorm' }],
  ['adakv over unlike keys, nothing sure', policies.adakv, { base: 'keydiff', safeguard: 0 }],
  ['dbtrimkv within layers, with a floor', policies.dbtrimkv, { scope: 'layer', min: 2 }],
]

describe.each(forms)('%s', (_, policy, options) => {
  for (const [i, { name }] of policyChecks(policy, { options }).entries())
    it(name, () => expect(policyChecks(policy, { options })[i]!.run()).toEqual([]))
})

const halfEven = (x: number): number => {
  const whole = Math.floor(x)
  if (x - whole !== 0.5) return Math.round(x)
  return whole + (whole % 2)
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0)

describe.each([0, 0.2, 0.55, 1])('adakv as in its repository, safeguard %d', (safeguard) => {
  it.each(['off', 'on'])('mixes what heads win with an even share, normalise %s', (normalise) => {
    const shape = { layers: 1, queryHeads: 4, kvHeads: 4, headDim: 4 }
    const source = seededTokens(shape, 21)
    const [tokens, budget] = [60, 11]
    using cache = createKvCache({
      storage: referenceTestBackend().storage,
      shape,
      policy: policies.adakv,
      options: { base: 'knorm', floor: 'mix', safeguard, normalise },
      budget,
      mode: { mode: 'exact' },
      capacity: 100,
    })
    runForward(
      { backend: referenceTestBackend(), cache, shape, sources: [source] },
      { newTokens: tokens, whole: true },
    )
    const scores = Array.from({ length: 4 }, (_, head) =>
      Array.from(
        { length: tokens },
        (__, j) => -Math.hypot(...source.k(0, j).subarray(4 * head, 4 * head + 4)),
      ),
    )
    const weights = scores.map((own) =>
      normalise === 'on' ? sum(own.toSorted((a, b) => b - a).slice(0, budget)) / sum(own) : 1,
    )
    const rated = scores
      .flatMap((own, head) => own.map((score, token) => ({ head, token, score: score * weights[head]! })))
      .sort((a, b) => b.score - a.score)
    const wanted = Array.from({ length: 4 }, (_, head) => {
      const wins = rated.slice(0, 4 * budget).filter((slot) => slot.head === head).length
      const own = halfEven(wins * (1 - safeguard) + Math.floor(safeguard * budget))
      return rated
        .filter((slot) => slot.head === head)
        .slice(0, own)
        .map(({ token }) => token)
        .sort((a, b) => a - b)
    })
    expect(cache.positions()[0]).toEqual(wanted)
    const sizes = new Set(wanted.map((list) => list.length))
    expect(sizes.size > 1).toBe(safeguard < 1)
  })
})
