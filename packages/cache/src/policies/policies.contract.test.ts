import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { policyChecks } from '../testing/policy-conformance.ts'
import { policies } from './index.ts'

const files = readdirSync(new URL('.', import.meta.url)).filter(
  (name) => /^[a-z0-9-]+\.ts$/.test(name) && name !== 'index.ts',
)

it('lists every policy file under its own name', () => {
  expect(files.map((name) => name.slice(0, -3)).sort()).toEqual(Object.keys(policies).sort())
  for (const [name, policy] of Object.entries(policies)) expect(policy.name).toBe(name)
})

describe.each(Object.values(policies))('$name', (policy) => {
  it('names its source and documents its options', () => {
    expect(policy.source).not.toBe('')
    for (const option of Object.values(policy.options)) expect(option.doc).not.toBe('')
  })
  for (const check of policyChecks(policy)) it(check.name, () => expect(check.run()).toEqual([]))
})
