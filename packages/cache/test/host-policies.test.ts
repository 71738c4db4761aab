import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import type { EvictionMode } from '../src/eviction-mode.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { policies } from '../src/policies/index.ts'
import type { Policy } from '../src/policy.ts'
import { policyChecks } from '../src/testing/policy-conformance.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'
import { hostH2o } from './host-policies/host-h2o.ts'
import { hostKeydiff } from './host-policies/host-keydiff.ts'

const shape: CacheShape = { layers: 2, queryHeads: 4, kvHeads: 2, headDim: 8 }

/** What is kept after every forward of a long run. */
function keptOver(policy: Policy, mode: EvictionMode): number[][][][] {
  const backend = referenceTestBackend()
  const cache = createKvCache({ storage: backend.storage, shape, policy, budget: 24, mode })
  const target = { backend, cache, shape, sources: [seededTokens(shape, 11)] }
  const forwards = [60, ...Array.from({ length: 120 }, () => 1), 15, ...Array.from({ length: 40 }, () => 1)]
  return forwards.map((newTokens) => {
    runForward(target, { newTokens })
    return cache.positions()
  })
}

describe.each([
  { host: hostH2o, native: policies.h2o },
  { host: hostKeydiff, native: policies.keydiff },
])('$host.name', ({ host, native }) => {
  it.each<EvictionMode>([{ mode: 'exact' }, { mode: 'buffered', buffer: 8 }])(
    'keeps the sets of its built-in twin, $mode',
    (mode) => {
      expect(keptOver(host, mode)).toEqual(keptOver(native, mode))
    },
  )
  for (const check of policyChecks(host)) it(check.name, () => expect(check.run()).toEqual([]))
})
