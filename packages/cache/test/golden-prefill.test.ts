import type { RefTensor } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import { createKvCache, type KvArena } from '../src/kv-arena.ts'
import type { GivenOptions } from '../src/option-schema.ts'
import { policies } from '../src/policies/index.ts'
import { definePolicy, type Policy } from '../src/policy.ts'
import { hostScore } from '../src/score.ts'
import { type FeedTarget, referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'
import { goldenJson, goldenTensors } from './golden-file.ts'

interface Golden {
  readonly cases: Readonly<Record<string, { readonly kept_positions: number[][][] }>>
}

const promptTokens = 96

/** Reads a prompt in one forward, cutting to `budget`. */
function readPrompt(policy: Policy, kept: number[][][], options: GivenOptions = {}): KvArena<RefTensor> {
  const kvHeads = kept[0]!.length
  const shape: CacheShape = { layers: kept.length, queryHeads: 2 * kvHeads, kvHeads, headDim: 4 }
  const budget = kept[0]![0]!.length
  const backend = referenceTestBackend()
  const given = { ...options, when: 'prefill' }
  const cache = createKvCache({
    storage: backend.storage,
    shape,
    policy,
    options: given,
    budget,
    mode: { mode: 'exact' },
    capacity: budget + 8,
  })
  const target: FeedTarget<RefTensor> = { backend, cache, shape, sources: [seededTokens(shape, 3)] }
  runForward(target, { newTokens: promptTokens, whole: true })
  return cache
}

/** Rates every token with a recorded number. */
const recordedScores = (scores: (layer: number) => Float32Array): Policy =>
  definePolicy({
    name: 'recorded',
    source: 'kvpress 0.5.5',
    phases: ['prefill-aware'],
    options: {},
    parts: () => ({
      score: hostScore({
        score: (view, head) =>
          Array.from(view.positions(head), (p) => scores(view.layer)[head * promptTokens + p]!),
      }),
    }),
  })

const uniformCases = [
  'streaming',
  'knorm',
  'keydiff',
  'snapkv',
  'tova',
  'observed',
  'expected',
  'expected-nocov',
  'lagkv',
]

describe.each(['qwen3', 'llama', 'qwen3-untied'])('prompt cuts of kvpress on %s', (model) => {
  const golden = goldenJson(`policies-prefill/${model}.json`) as Golden
  const tensors = goldenTensors(`policies-prefill/${model}.safetensors`)

  it.each(uniformCases)('%s: recorded scores lead to the recorded tokens', (name) => {
    const kept = golden.cases[name]!.kept_positions
    const policy = recordedScores((layer) => tensors(`${name}.scores.${layer}`).data)
    expect(readPrompt(policy, kept).positions()).toEqual(kept)
  })

  it('streaming needs no scores', () => {
    const kept = golden.cases.streaming!.kept_positions
    expect(readPrompt(policies.streaming, kept, { sinks: 4 }).positions()).toEqual(kept)
  })
})
