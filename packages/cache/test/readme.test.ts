import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { longValues } from '../examples/long-values.ts'
import { policies } from '../src/policies/index.ts'
import { policyChecks } from '../src/testing/policy-conformance.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const example = readFileSync(new URL('../examples/long-values.ts', import.meta.url), 'utf8')

describe('README', () => {
  it('shows the example policy as it is, in at most 30 lines', () => {
    const published = example.replace("'../src/index.ts'", "'@trimkv/cache'")
    expect(readme).toContain(published)
    expect(published.trimEnd().split('\n').length).toBeLessThanOrEqual(30)
  })

  it('lists every built-in policy with its options', () => {
    for (const [name, policy] of Object.entries(policies)) {
      const row = readme.split('\n').find((line) => line.startsWith(`| \`${name}\` `)) ?? ''
      for (const option of Object.keys(policy.options))
        if (!['when', 'positions'].includes(option)) expect(row).toContain(`\`${option}\``)
      expect(row).not.toBe('')
    }
  })
})

describe('the example policy', () => {
  for (const check of policyChecks(longValues)) it(check.name, () => expect(check.run()).toEqual([]))
})
