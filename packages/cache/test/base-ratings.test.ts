import { describe, expect, it } from 'vitest'
import { baseNames } from '../src/base-rating.ts'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { policies } from '../src/policies/index.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const tokens = 40
const budget = 15
const window = 'window=6,kernel=3,pool=max'
const expected = 'sinks=2,future=30,partition=6'

/** What each head keeps of a prompt. */
function kept(policy: string, kvHeads = 2): number[][] {
  const backend = referenceTestBackend()
  const shape: CacheShape = { layers: 1, queryHeads: 4, kvHeads, headDim: 8 }
  using cache = createKvCache({
    storage: backend.storage,
    shape,
    ...parsePolicy(policy),
    budget,
    mode: { mode: 'exact' },
    capacity: 100,
  })
  const target = { backend, cache, shape, sources: [seededTokens(shape, 4)], rotate: true }
  runForward(target, { newTokens: tokens, whole: true })
  return cache.positions()[0]!
}

/** The policies that the ratings come from. */
const alone = {
  snapkv: `snapkv:when=prefill,${window}`,
  knorm: 'knorm:when=prefill',
  keydiff: 'keydiff:when=prefill',
  h2o: 'h2o:when=prefill',
  lagkv: 'lagkv:sinks=2,partition=6,rank=across',
  expected: 'expected-attention:sinks=2,future=30,epsilon=0.05',
} as const

const over = (wrapper: string, base: string, rest: string): string =>
  `${wrapper}:base=${base},${window},${expected},${rest}`

describe.each(baseNames)('policies over %s', (base) => {
  it('keep what it keeps by itself where they change nothing', () => {
    const wanted = kept(alone[base])
    expect(kept(over('adakv', base, 'safeguard=1,epsilon=0.05'))).toEqual(wanted)
    expect(kept(over('criticalkv', base, 'share=1'))).toEqual(
      base === 'expected' ? kept(`${alone.expected},values=off`) : wanted,
    )
    expect(kept(over('chunkkv', base, 'chunk=1,epsilon=0.05'), 1)).toEqual(kept(alone[base], 1))
  })

  it('keep something else where they do', () => {
    const wanted = kept(alone[base])
    expect(kept(over('adakv', base, 'safeguard=0'))).not.toEqual(wanted)
    expect(kept(over('criticalkv', base, 'share=0'))).not.toEqual(wanted)
    expect(kept(over('chunkkv', base, 'chunk=5'))).not.toEqual(wanted)
  })
})

it('all offer the same ratings under the same options', () => {
  for (const name of ['adakv', 'chunkkv', 'criticalkv'] as const) {
    const { options } = policies[name]
    expect(options.base).toMatchObject({
      choices: ['snapkv', 'knorm', 'keydiff', 'h2o', 'lagkv', 'expected'],
      default: 'snapkv',
    })
    expect(Object.keys(options)).toEqual(
      expect.arrayContaining(['window', 'kernel', 'pool', 'sinks', 'future', 'partition', 'epsilon']),
    )
  }
})
