import { describe, expect, it } from 'vitest'
import { createKvCache } from './kv-arena.ts'
import type { GivenOptions } from './option-schema.ts'
import { parsePolicy } from './parse-policy.ts'
import { policies } from './policies/index.ts'
import { definePolicy, type Policy, type PolicyParts, perHead, perLayer, pooled } from './policy.ts'
import { attentionMass, hostScore, opsScore, recency, windowAttention } from './score.ts'
import { referenceStorage } from './testing/reference-storage.ts'
import { shareHeads } from './transform.ts'

const shape = { layers: 1, queryHeads: 2, kvHeads: 2, headDim: 4 }

const create = (policy: Policy, budget?: number, options: GivenOptions = {}) =>
  createKvCache({
    storage: referenceStorage(),
    shape,
    policy,
    options,
    ...(budget !== undefined && { budget }),
    mode: { mode: 'exact' },
    capacity: 200,
  })

const withParts = (parts: PolicyParts): Policy =>
  definePolicy({ name: 'mine', source: 'test', phases: ['decode'], options: {}, parts: () => parts })

describe('budgets', () => {
  it.each([
    ['streaming', 4, /first 4 tokens always stay[\s\S]*smallest valid budget is 5$/],
    ['streaming:sinks=9', 3, /smallest valid budget is 10$/],
    ['snapkv', 8, /last 8 tokens always stay[\s\S]*smallest valid budget is 9$/],
    ['snapkv:when=prefill', 64, /smallest valid budget is 65$/],
    ['h2o:recent=20', 20, /smallest valid budget is 21$/],
    ['trimkv', 0, /A budget of 0 is too small for trimkv[\s\S]*smallest valid budget is 1$/],
    ['tova', 2.5, /whole tokens[\s\S]*smallest valid budget is 1$/],
    ['streaming', Number.NaN, /smallest valid budget is 5$/],
    ['r-kv', -3, /smallest valid budget is 9$/],
  ])('%s refuses %d', (text, budget, message) => {
    const { policy, options } = parsePolicy(text)
    const attempt = (): unknown => create(policy, budget, options)
    expect(attempt).toThrow(message)
    expect(attempt).toThrow(expect.objectContaining({ code: 'TRIMKV_BUDGET_TOO_SMALL' }))
  })

  it('accepts the smallest it names', () => {
    expect(create(policies.streaming, 5).slots).toBe(6)
    expect(create(policies.snapkv, 9).slots).toBe(10)
  })

  it('are needed unless everything is kept', () => {
    expect(() => create(policies.tova)).toThrow(/tova needs a budget/)
    expect(create(policies.full).slots).toBe(200)
  })

  it('gives h2o half of the budget for recent tokens, and none after a prompt', () => {
    expect(create(policies.h2o, 21).policy.eviction?.protect).toEqual({ first: 0, last: 10 })
    expect(create(policies.h2o, 21, { when: 'prefill' }).policy.eviction?.protect.last).toBe(0)
  })
})

describe('parts that do not fit together', () => {
  it.each<[string, PolicyParts, RegExp, string]>([
    [
      'budgets for other heads',
      { score: recency(), allocate: perHead([[3, 5, 7]]) },
      /budgets of heads are not integers ≥ 1[\s\S]*1 layers of 2 heads/,
      'TRIMKV_POLICY_CONTRACT',
    ],
    [
      'a floor above the budget',
      {
        score: recency(),
        allocate: pooled({ budget: 8, scope: 'layer', floor: { kind: 'least', slots: 9 } }),
      },
      /a head is given 9 of a budget of 8/,
      'TRIMKV_OPTION',
    ],
    ['no score', {}, /\[mine\] parts has no score/, 'TRIMKV_POLICY_CONTRACT'],
    [
      'half a token',
      { score: recency(), protect: { last: 1.5 } },
      /protect needs integers/,
      'TRIMKV_POLICY_CONTRACT',
    ],
    [
      'two windows',
      {
        score: windowAttention({ window: 4, columns: 'all' }),
        transforms: [{ needs: { window: 8 }, orderedSlots: false, apply: (_, scores) => scores }],
      },
      /windows of 4 and 8 queries/,
      'TRIMKV_POLICY_CONTRACT',
    ],
    [
      'one rating for heads that compete',
      { score: recency(), transforms: [shareHeads()], allocate: pooled({ budget: 8, scope: 'layer' }) },
      /needs the same tokens in all heads[\s\S]*heads compete for a budget[\s\S]*`shareHeads`[\s\S]*`perLayer`/,
      'TRIMKV_POLICY_CONTRACT',
    ],
    [
      'a rating of heads side by side under budgets that differ',
      {
        score: opsScore({ equalHeads: true, score: (ops, { keys, count }) => ops.keyDiff({ keys, count }) }),
        allocate: perHead([[3, 5]]),
      },
      /needs the same tokens in all heads[\s\S]*budgets that differ/,
      'TRIMKV_POLICY_CONTRACT',
    ],
    [
      'attention that waits for a rating by attention',
      { score: attentionMass(), attends: 'kept' },
      /rates by attention, so attention cannot wait/,
      'TRIMKV_POLICY_CONTRACT',
    ],
    [
      'attention to what is kept by heads that compete',
      { score: recency(), attends: 'kept', allocate: pooled({ budget: 8, scope: 'layer' }) },
      /attends=kept is not possible[\s\S]*different numbers of tokens/,
      'TRIMKV_UNSUPPORTED',
    ],
    [
      'attention to what is kept of keys that turn',
      { score: recency(), attends: 'kept', positions: 'slot' },
      /attends=kept is not possible[\s\S]*keys turn/,
      'TRIMKV_UNSUPPORTED',
    ],
    [
      'a reserved column name',
      {
        score: hostScore({
          needs: { columns: { mass: { kind: 'host', write: () => [] } } },
          score: () => [],
        }),
      },
      /column "mass" is declared twice/,
      'TRIMKV_POLICY_CONTRACT',
    ],
  ])('%s', (_, parts, message, code) => {
    expect(() => create(withParts(parts), 10)).toThrow(message)
    expect(() => create(withParts(parts), 10)).toThrow(expect.objectContaining({ code }))
  })

  it.each<[string, PolicyParts['allocate']]>([
    ['one budget', undefined],
    ['a budget per layer', perLayer([6])],
    ['equal budgets of a layer', perHead([[6, 6]])],
  ])('lets heads share their rating under %s', (_, allocate) => {
    const parts = { score: recency(), transforms: [shareHeads()], ...(allocate && { allocate }) }
    expect(create(withParts(parts), 10).policy.eviction?.transforms).toHaveLength(1)
  })
})
