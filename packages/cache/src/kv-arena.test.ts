import type { RefTensor } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import { createKvCache, type KvCacheOptions } from './kv-arena.ts'
import { policies } from './policies/index.ts'
import { definePolicy, type Policy } from './policy.ts'
import { hostScore, opsScore } from './score.ts'
import { type FeedTarget, referenceTestBackend, runForward } from './testing/run-forward.ts'
import { seededTokens } from './testing/token-source.ts'

const shape = { layers: 2, queryHeads: 4, kvHeads: 2, headDim: 8 }
const backend = referenceTestBackend()

type Given = Partial<Omit<KvCacheOptions<RefTensor>, 'storage' | 'shape'>>

/** A cache and random tokens for it. */
function target(given: Given & { readonly policy: Policy }): FeedTarget<RefTensor> {
  const cache = createKvCache({ storage: backend.storage, shape, mode: { mode: 'exact' }, ...given })
  const sources = Array.from({ length: given.batch ?? 1 }, (_, seat) => seededTokens(shape, 40 + seat))
  return { backend, cache, shape, sources }
}

describe('planning', () => {
  it('refuses requests that make no sense', () => {
    const { cache } = target({ policy: policies.trimkv, budget: 4, batch: 2 })
    expect(() => cache.plan({ newTokens: 0 })).toThrow(/newTokens must be an integer ≥ 1/)
    expect(() => cache.plan({ newTokens: 1, seats: { first: 1, count: 2 } })).toThrow(/seats 1 … 2 are not/)
    expect(() => cache.plan({ newTokens: 9 })).toThrow(/one sequence at a time/)
  })

  it('tells a full cache from a bounded one', () => {
    const at = target({ policy: policies.full, capacity: 5 })
    runForward(at, { newTokens: 5 })
    expect(() => at.cache.plan({ newTokens: 1 })).toThrow(
      expect.objectContaining({ code: 'TRIMKV_POSITION_LIMIT' }),
    )
    expect(() => target({ policy: policies.full })).toThrow(/capacity must be an integer ≥ 1/)
  })

  it('asks how long a sequence gets where one head may keep what others drop', () => {
    expect(() => target({ policy: policies.dbtrimkv, budget: 4 })).toThrow(
      /capacity must be an integer ≥ 1, got undefined[\s\S]*how long a sequence gets/,
    )
    const at = target({ policy: policies.dbtrimkv, budget: 4, capacity: 16 })
    runForward(at, { newTokens: 16 })
    expect(() => at.cache.plan({ newTokens: 16 })).toThrow(
      expect.objectContaining({ code: 'TRIMKV_POSITION_LIMIT' }),
    )
  })

  it('insists on the whole prompt where the policy rates it', () => {
    const at = target({ policy: policies.knorm, budget: 4, options: { when: 'prefill' }, capacity: 9 })
    expect(at.cache.needs.wholePrompt).toBe(true)
    expect(() => at.cache.plan({ newTokens: 20 })).toThrow(/whole prompt/)
    runForward(at, { newTokens: 20, whole: true })
    expect([at.cache.stored(), at.cache.seen()]).toEqual([4, 20])
    for (let i = 0; i < 5; i++) runForward(at, { newTokens: 1 })
    expect([at.cache.stored(), at.cache.seen()]).toEqual([9, 25])
    expect(() => at.cache.plan({ newTokens: 1 })).toThrow(/holds 9 tokens per head/)
  })

  it('refuses to commit a forward twice', () => {
    const { cache } = target({ policy: policies.trimkv, budget: 4 })
    const plan = cache.plan({ newTokens: 1 })
    cache.commit(plan)
    expect(() => cache.commit(plan)).toThrow(/moved on since/)
  })

  it('gives forwards that run the same operations the same key, others different ones', () => {
    const at = target({
      policy: policies.keydiff,
      budget: 4,
      mode: { mode: 'buffered', buffer: 2 },
      batch: 2,
    })
    const keys = Array.from({ length: 12 }, () => runForward(at, { newTokens: 1 }).plan.key)
    expect(new Set(keys).size).toBe(2)
    runForward(at, { newTokens: 1, seats: { first: 0, count: 1 } })
    const [oneDue, otherDue] = [runForward(at, { newTokens: 1 }).plan, runForward(at, { newTokens: 1 }).plan]
    expect([oneDue.due, otherDue.due]).toEqual([
      [true, false],
      [false, true],
    ])
    expect(keys).not.toContain(oneDue.key)
    expect(oneDue.key).not.toBe(otherDue.key)
  })
})

describe('gates', () => {
  it('are asked for by name when missing', () => {
    const at = target({ policy: policies.trimkv, budget: 4 })
    expect(at.cache.needs.logBeta).toBe(true)
    const inputs = {
      index: backend.ops.zeros({ dtype: 'i32', shape: [1, 1] }),
      seen: backend.ops.zeros({ dtype: 'i32', shape: [1] }),
    }
    const bound = at.cache.bind(backend.ops, at.cache.plan({ newTokens: 1 }), inputs)
    const row = (heads: number) => backend.ops.zeros({ dtype: 'f32', shape: [1, 1, heads, 8] })
    expect(() => bound.attend(0, { q: row(4), k: row(2), v: row(2) })).toThrow(
      expect.objectContaining({ code: 'TRIMKV_GATES_MISMATCH' }),
    )
  })

  it('are not asked for by policies that need none', () => {
    expect(target({ policy: policies.keydiff, budget: 4 }).cache.needs.logBeta).toBe(false)
  })
})

describe('the meter', () => {
  const kvBytes = 2 * 2 * 2 * 8 * 2
  it('knows what a bounded cache takes before the first token, prompts included afterwards', () => {
    const at = target({
      policy: policies.trimkv,
      budget: 10,
      kvDtype: 'bf16',
      mode: { mode: 'buffered', buffer: 6 },
    })
    const slots = 16
    const positionBytes = 2 * 2 * 4
    const before = at.cache.meter()
    expect(before).toEqual({
      entries: 0,
      logicalBytes: 0,
      allocatedBytes: slots * (kvBytes + positionBytes) + 2 * 2 * 4,
      policyBytes: slots * positionBytes,
      peakEntries: 0,
      peakBytes: before.allocatedBytes + before.policyBytes,
    })
    runForward(at, { newTokens: 30 })
    const after = at.cache.meter()
    expect([after.entries, after.logicalBytes, after.peakEntries]).toEqual([10, 10 * kvBytes, 30])
    expect(after.allocatedBytes).toBe(before.allocatedBytes)
    // The working set of the prompt chunk is one layer's: 30 tokens of keys, values, position and log retention.
    expect(after.peakBytes).toBe(before.peakBytes + (30 * (kvBytes + 2 * positionBytes)) / 2)
  })

  it('counts the window of queries as the policy’s', () => {
    const { policyBytes } = target({ policy: policies.tova, budget: 4 }).cache.meter()
    expect(policyBytes).toBe(2 * 4 * 8 * 4)
  })

  it('grows a reserved cache by whole pages', () => {
    const at = target({ policy: policies.full, capacity: { limit: 1000 } })
    const bytes = (): number => at.cache.meter().allocatedBytes
    const empty = bytes()
    runForward(at, { newTokens: 3 })
    const onePage = bytes()
    runForward(at, { newTokens: 253 })
    expect(bytes()).toBe(onePage)
    runForward(at, { newTokens: 1 })
    expect(bytes() - onePage).toBe(onePage - empty)
    expect(at.cache.slots).toBe(1000)
  })
})

describe('scores of a forward', () => {
  it('are there for the layers that evict, protected tokens infinite', () => {
    const at = target({
      policy: policies.snapkv,
      options: { window: 3 },
      budget: 6,
      mode: { mode: 'buffered', buffer: 2 },
    })
    expect(runForward(at, { newTokens: 7 }).scores).toEqual([undefined, undefined])
    const { scores } = runForward(at, { newTokens: 4 })
    for (const tensor of scores) {
      const [row] = [Array.from(backend.storage.read(tensor!).subarray(0, 11))]
      expect(row.filter((x) => x === Number.POSITIVE_INFINITY)).toHaveLength(3)
      expect(row.slice(0, 8).every((x) => x > 0 && x < 1)).toBe(true)
    }
  })
})

describe('policies that break the contract', () => {
  const hostPolicy = (score: (n: number) => ArrayLike<number>): Policy =>
    definePolicy({
      name: 'mine',
      source: 'test',
      phases: ['decode'],
      options: {},
      parts: () => ({ score: hostScore({ score: (view, head) => score(view.length(head)) }) }),
    })

  it.each<[string, Policy, RegExp]>([
    [
      'too few scores',
      hostPolicy((n) => new Float32Array(n - 1)),
      /\[mine\] returned 5 scores for 6 slots \(layer 0, head 0, step 6\)/,
    ],
    [
      'NaN',
      hostPolicy((n) => new Float32Array(n).fill(Number.NaN)),
      /\[mine\] returned NaN among its scores \(layer 0, head 0, step 6\)/,
    ],
    [
      'an undeclared column',
      definePolicy({
        name: 'mine',
        source: 'test',
        phases: ['decode'],
        options: {},
        parts: () => ({ score: hostScore({ score: (view, head) => view.column('mass', head) }) }),
      }),
      /\[mine\] column "mass" was not declared/,
    ],
    [
      'scores of the wrong shape',
      definePolicy({
        name: 'mine',
        source: 'test',
        phases: ['decode'],
        options: {},
        parts: () => ({ score: opsScore({ score: (_, view) => view.keys }) }),
      }),
      /\[mine\] scores are f32 \[1, 2, 6, 8\] in layer 0[\s\S]*expected f32 \[1, 2, 6\]/,
    ],
  ])('%s', (_, policy, message) => {
    const at = target({ policy, budget: 5 })
    runForward(at, { newTokens: 5 })
    const attempt = (): unknown => runForward(at, { newTokens: 1 })
    expect(attempt).toThrow(message)
    at.cache.reset()
    runForward(at, { newTokens: 5 })
    expect(attempt).toThrow(expect.objectContaining({ code: 'TRIMKV_POLICY_CONTRACT' }))
  })

  it('passes an exception of the policy on as it is', () => {
    const problem = new RangeError('mine')
    const at = target({
      policy: hostPolicy(() => {
        throw problem
      }),
      budget: 5,
    })
    expect(() => runForward(at, { newTokens: 6 })).toThrow(problem)
  })
})

describe('ties', () => {
  it('keep the newer token', () => {
    const policy = definePolicy({
      name: 'indifferent',
      source: 'test',
      phases: ['decode'],
      options: {},
      parts: () => ({ score: hostScore({ score: (view, head) => new Float32Array(view.length(head)) }) }),
    })
    const at = target({ policy, budget: 3 })
    runForward(at, { newTokens: 8 })
    runForward(at, { newTokens: 1 })
    expect(at.cache.positions()[1]).toEqual([
      [6, 7, 8],
      [6, 7, 8],
    ])
  })
})

describe('columns written in TypeScript', () => {
  it('travel with their tokens', () => {
    const policy = definePolicy({
      name: 'even',
      source: 'test',
      phases: ['decode'],
      options: {},
      parts: () => ({
        score: hostScore({
          needs: {
            columns: {
              even: {
                kind: 'host',
                write: ({ index }, head) => Array.from(index, (i) => (i + head + 1) % 2),
              },
            },
          },
          score: (view, head) => view.column('even', head),
        }),
      }),
    })
    const at = target({ policy, budget: 4 })
    runForward(at, { newTokens: 6 })
    for (let i = 0; i < 10; i++) runForward(at, { newTokens: 1 })
    expect(at.cache.positions()[0]).toEqual([
      [8, 10, 12, 14],
      [9, 11, 13, 15],
    ])
  })

  it('must have one value per new token', () => {
    const policy = definePolicy({
      name: 'short',
      source: 'test',
      phases: ['decode'],
      options: {},
      parts: () => ({
        score: hostScore({ needs: { columns: { c: { kind: 'host', write: () => [1] } } }, score: () => [] }),
      }),
    })
    expect(() => runForward(target({ policy, budget: 4 }), { newTokens: 2 })).toThrow(
      /returned 1 values of column c for 2 new tokens \(layer 0, head 0, step 2\)/,
    )
  })
})
