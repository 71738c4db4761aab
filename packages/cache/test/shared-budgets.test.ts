import { describe, expect, it } from 'vitest'
import type { GivenOptions } from '../src/option-schema.ts'
import { policies } from '../src/policies/index.ts'
import type { Policy } from '../src/policy.ts'
import { policyChecks } from '../src/testing/policy-conformance.ts'

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
