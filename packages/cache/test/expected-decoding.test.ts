import { createDevice, type RefTensor, referenceOps, refTensor } from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import type { EvictionMode } from '../src/eviction-mode.ts'
import type { LayerView } from '../src/layer-view.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { policies } from '../src/policies/index.ts'
import { definePolicy, type Policy, perHead, pooled } from '../src/policy.ts'
import { expectedAttention } from '../src/score.ts'
import { deviceStorage } from '../src/storage.ts'
import { policyChecks } from '../src/testing/policy-conformance.ts'
import { referenceTestBackend } from '../src/testing/run-forward.ts'
import { rotateRow, testFrequencies } from '../src/testing/test-rotary.ts'
import { seededTokens } from '../src/testing/token-source.ts'
import { type HeadList, replayOnLists, singles } from './list-replay.ts'

const shape: CacheShape = { layers: 1, queryHeads: 4, kvHeads: 2, headDim: 8 }
const D = shape.headDim
const sinks = 3
const future = 20
const epsilon = 0.01
const budget = 10

const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i]!, 0)
const rowOf = (rows: Float32Array, head: number): Float32Array => rows.subarray(head * D, (head + 1) * D)

/** Rᵀk, R the mean rotation of the `future` positions from `seen` on. */
function turnedByFuture(key: Float32Array, seen: number): number[] {
  const out = new Array<number>(D).fill(0)
  for (const [i, frequency] of testFrequencies(D).entries()) {
    const angles = Array.from({ length: future }, (_, p) => (seen + p) * frequency)
    const [cos, sin] = [mean(angles.map(Math.cos)), mean(angles.map(Math.sin))]
    const [a, b] = [key[i]!, key[D / 2 + i]!]
    out[i] = cos * a + sin * b
    out[D / 2 + i] = cos * b - sin * a
  }
  return out
}

/** ExpectedAttention by the queries of the last `queries` tokens, over what a head holds. */
const expected =
  (queries: number) =>
  ({ source, head, tokens, seen }: HeadList): number[] => {
    const first = Math.max(sinks, seen - queries)
    const counted = Array.from({ length: Math.max(0, seen - first) }, (_, i) => first + i)
    const keys = tokens.map((token) =>
      turnedByFuture(rotateRow(rowOf(source.k(0, token), head), token), seen),
    )
    const perQueryHead = [2 * head, 2 * head + 1].map((queryHead) => {
      const rows = counted.map((token) => Array.from(rowOf(source.q(0, token), queryHead)))
      const mu = Array.from({ length: D }, (_, d) => mean(rows.map((row) => row[d]!)))
      const logits = keys.map((key) => {
        const spread = mean(
          rows.map(
            (row) =>
              dot(
                row.map((x, d) => x - mu[d]!),
                key,
              ) ** 2,
          ),
        )
        return dot(key, mu) / Math.sqrt(D) + spread / (2 * D)
      })
      const weights = logits.map((z, at) => (tokens[at]! < sinks ? 0 : Math.exp(z - Math.max(...logits))))
      const total = weights.reduce((a, b) => a + b, 0)
      return weights.map((weight) => weight / total)
    })
    return tokens.map((token, at) => {
      if (token < sinks) return Number.POSITIVE_INFINITY
      const attention = mean(perQueryHead.map((weights) => weights[at]!))
      return (attention + epsilon) * Math.hypot(...rowOf(source.v(0, token), head))
    })
  }

/** The same, stored as if heads had budgets of their own. */
const raggedly = (policy: Policy): Policy => ({
  ...policy,
  parts: (given, context) => ({
    ...policy.parts(given, context),
    allocate: perHead([[context.budget, context.budget]]),
  }),
})

const modes: readonly EvictionMode[] = [{ mode: 'exact' }, { mode: 'buffered', buffer: 6 }]

describe.each(modes)('expected-attention while decoding, $mode', (mode) => {
  // Fewer than between two cuts; more than the shorter sequence has read at its first cuts; more than anyone reads.
  it.each([4, 18, 300])('rates by the last %d queries, in sequences of different lengths', (queries) => {
    using device = createDevice({ threads: 2 })
    const text = `expected-attention:when=decode,sinks=${sinks},future=${future},epsilon=${epsilon},queries=${queries}`
    const parsed = parsePolicy(text)
    const replay = {
      shape,
      budget,
      mode,
      sources: [seededTokens(shape, 8), seededTokens(shape, 9)],
      requests: [
        { newTokens: 11, seats: { first: 0, count: 1 } },
        { newTokens: 29, seats: { first: 1, count: 1 } },
        ...singles(15),
        { newTokens: 12, seats: { first: 1, count: 1 } },
        ...singles(8),
      ],
      rotate: true,
      rate: expected(queries),
    }
    const native = { storage: deviceStorage(device), ops: device.ops }
    const ragged = { ...parsed, policy: raggedly(parsed.policy) }
    for (const held of [
      replayOnLists({ ...replay, policy: parsed, backend: referenceTestBackend() }),
      replayOnLists({ ...replay, policy: parsed, backend: native }),
      replayOnLists({ ...replay, policy: ragged, backend: native }),
    ]) {
      expect(held.length).toBeGreaterThan(4)
      for (const { got, wanted } of held) expect(got).toEqual(wanted)
    }
  })
})

describe('expected attention of heads that compete while decoding', () => {
  const competing = definePolicy({
    name: 'competing',
    source: 'test',
    phases: ['decode'],
    options: {},
    parts: (_, context) => ({
      score: expectedAttention({ sinks: 1, future: 9, covariance: true, queries: 5 }),
      protect: { first: 1 },
      allocate: pooled({ budget: context.budget, scope: 'layer', floor: { kind: 'least', slots: 1 } }),
    }),
  })
  for (const check of policyChecks(competing)) it(check.name, () => expect(check.run()).toEqual([]))
})

it('expected-attention and criticalkv cut after the prompt unless they are told otherwise', () => {
  for (const name of ['expected-attention', 'criticalkv'] as const) {
    expect(policies[name].options.when?.default).toBe('prefill')
  }
})

describe('remembered queries, turned back', () => {
  it.each([
    ['one row of frequencies', 1],
    ['frequencies of its own for each sequence', 2],
  ])('are the queries before rotation under a scaled and shifted embedding: %s', (_, F) => {
    const ops = referenceOps()
    const random = seededRandom(3)
    const floats = (...size: number[]): RefTensor => {
      const values = Array.from({ length: size.reduce((a, b) => a * b, 1) }, () => random.normal())
      return refTensor(values, { dtype: 'f32', shape: size })
    }
    const whole = (values: readonly number[], ...size: number[]): RefTensor =>
      refTensor(values, { dtype: 'i32', shape: size })
    const [B, w, H, cap] = [2, 6, shape.kvHeads, 5]
    // One has read less than the window.
    const seen = [4, 15]
    const rotary = {
      invFreq: refTensor(
        Array.from({ length: F * 3 }, (_frequency, i) => 0.7 ** i),
        { dtype: 'f32', shape: [F, 3] },
      ),
      scale: 1.3,
      offset: 7,
    }
    const ring = floats(B, w, shape.queryHeads, D)
    const raw = seen.map((tokens, b) => {
      const last = Array.from({ length: Math.min(w, tokens) }, (_token, i) => Math.max(0, tokens - w) + i)
      const q = floats(last.length, shape.queryHeads, D)
      const own = F === 1 ? rotary.invFreq : ops.slice(rotary.invFreq, { axis: 0, start: b, length: 1 })
      const positions = whole(
        last.map((t) => t + rotary.offset),
        last.length,
      )
      const table = ops.ropeTable({ positions, invFreq: own }, { scale: rotary.scale })
      const index = whole(last, 1, last.length)
      const turned = ops.reshape(ops.rope({ x: q, table }, { inverse: false }), [1, ...q.shape])
      ops.ringAppend({ q: turned, index, ring: ops.slice(ring, { axis: 0, start: b, length: 1 }) })
      return { q: ops.reshape(q, [1, ...q.shape]), index }
    })
    const view: LayerView<RefTensor> = {
      layer: 0,
      keys: floats(B, H, cap, D),
      values: floats(B, H, cap, D),
      slotIndex: whole([0, 1, 2, 3, 3, 0, 1, 2, 3, 3, 0, 3, 9, 12, 14, 0, 2, 8, 12, 14], B, H, cap),
      count: whole([4, 4, 5, 5], B, H),
      seen: whole(seen, B),
      scale: 1 / Math.sqrt(D),
      protect: { first: 0, last: 0 },
      column: () => ring,
      window: () => ring,
      rawQueries: () => raw[0]!,
      rotary: () => rotary,
    }
    const attrs = { sinks: 1, future: 5, covariance: true }
    const scores = expectedAttention({ ...attrs, queries: w })
      .score(ops, view)
      .toArray()
    raw.forEach((own, b) => {
      const rows = (tensor: RefTensor): RefTensor => ops.slice(tensor, { axis: 0, start: b, length: 1 })
      const wanted = ops.expectedScores(
        {
          ...own,
          keys: rows(view.keys),
          count: rows(view.count),
          slotIndex: rows(view.slotIndex),
          seen: rows(view.seen),
          invFreq: F === 1 ? rotary.invFreq : rows(rotary.invFreq),
        },
        { ...attrs, scale: view.scale, ropeScale: rotary.scale, offset: rotary.offset },
      )
      const ours = Array.from(scores).slice(b * H * cap, (b + 1) * H * cap)
      wanted.toArray().forEach((x, i) => {
        expect(ours[i]).toBeCloseTo(x, 6)
      })
      expect(ours.some((x) => x > 0.2 && x < 0.8)).toBe(true)
    })
  })
})
