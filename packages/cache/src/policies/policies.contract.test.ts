import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { EvictionMode } from '../eviction-mode.ts'
import { checkOptions } from '../option-schema.ts'
import { resolvePolicy } from '../resolved-policy.ts'
import { policyChecks } from '../testing/policy-conformance.ts'
import { policies } from './index.ts'

const files = readdirSync(new URL('.', import.meta.url)).filter(
  (name) => /^[a-z0-9-]+\.ts$/.test(name) && name !== 'index.ts',
)

it('lists every policy file under its own name', () => {
  expect(files.map((name) => name.slice(0, -3)).sort()).toEqual(Object.keys(policies).sort())
  for (const [name, policy] of Object.entries(policies)) expect(policy.name).toBe(name)
})

const shape = { layers: 4, queryHeads: 8, kvHeads: 2, headDim: 16, hiddenSize: 64 }

/** Options under which other parts are at work than by default. */
const variants = [
  { name: 'criticalkv', options: { base: 'expected' } },
  { name: 'expected-attention', options: { covariance: 'off', values: 'off' } },
  { name: 'expected-attention', options: { when: 'decode', queries: 40, sinks: 2 } },
  { name: 'criticalkv', options: { when: 'decode', base: 'expected', queries: 4, share: 0.3 } },
  { name: 'finch', options: { positions: 'keep', normalise: 'off' } },
  { name: 'finch', options: { question: 4, chunk: 6 } },
  { name: 'lagkv', options: { partition: 4, rank: 'across' } },
  { name: 'lagkv', options: { partition: 2, sinks: 1 } },
  { name: 'pyramidkv', options: { form: 'kvpress', window: 2, beta: 3 } },
  { name: 'pyramidkv', options: { window: 2, beta: 3 } },
  { name: 'chunkkv', options: { window: 3, chunk: 4 } },
  { name: 'chunkkv', options: { base: 'expected', sinks: 2, chunk: 3 } },
  { name: 'adakv', options: { base: 'expected', epsilon: 0.1 } },
  { name: 'adakv', options: { normalise: 'on', floor: 'mix', window: 3 } },
  { name: 'criticalkv', options: { when: 'decode', base: 'keydiff' } },
  { name: 'criticalkv', options: { heads: 'pooled', window: 3 } },
  { name: 'criticalkv', options: { when: 'decode', base: 'keydiff', heads: 'pooled', safeguard: 0.4 } },
  { name: 'trimkv', options: { lookahead: 8, score: 'knorm_alpha' } },
  { name: 'trimkv', options: { recent: 3 } },
  { name: 'knorm', options: { recent: 3 } },
  { name: 'knorm', options: { attends: 'kept' } },
  { name: 'q-filters', options: { recent: 2, attends: 'kept' } },
  { name: 'keydiff', options: { recent: 3 } },
] as const

describe.each(variants)('$name $options', ({ name, options }) => {
  for (const check of policyChecks(policies[name], { options }))
    it(check.name, () => expect(check.run()).toEqual([]))
})

describe.each(Object.values(policies))('$name', (policy) => {
  it('names its source and documents its options', () => {
    expect(policy.source).not.toBe('')
    expect(policy.formula ?? '').not.toBe('')
    for (const option of Object.values(policy.options)) expect(option.doc).not.toBe('')
  })
  for (const { name, options, cache: { budget = 512, buffer, exact } = {} } of policy.presets) {
    it(`has a preset that a cache can be made for: ${name}`, () => {
      expect(checkOptions(policy.name, policy.options, options)).toEqual(options)
      expect(exact && buffer).toBeUndefined()
      const mode: EvictionMode = exact ? { mode: 'exact' } : { mode: 'buffered', buffer: buffer ?? 128 }
      expect(resolvePolicy({ policy, options, budget, mode, shape }).eviction).toBeDefined()
    })
  }
  for (const check of policyChecks(policy)) it(check.name, () => expect(check.run()).toEqual([]))
})
