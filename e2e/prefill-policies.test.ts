import { loadModel, trace } from '@trimkv/engine'
import { describe, expect, it } from 'vitest'
import { goldenJson, goldenPath, goldenTensors, logitError } from './golden.ts'

interface Recorded {
  readonly tokens: number[]
  readonly kept_positions: number[][][]
}

/** kvpress's names and the same policies here, with the options it was recorded with. */
const cases = {
  streaming: 'streaming:when=prefill',
  knorm: 'knorm:when=prefill',
  keydiff: 'keydiff:when=prefill',
  snapkv: 'snapkv:when=prefill,window=16,kernel=5',
  tova: 'tova:when=prefill',
  observed: 'h2o:recent=0,normalise=visible,when=prefill',
  'adakv-snapkv': 'adakv:window=16,kernel=5,safeguard=0.2',
  expected: 'expected-attention:future=64,epsilon=0.01',
  'expected-nocov': 'expected-attention:future=64,covariance=off,values=off',
  lagkv: 'lagkv:partition=16',
  pyramidkv: 'pyramidkv:form=kvpress,ratio=0.6,window=8,beta=3',
  chunkkv: 'chunkkv:window=16,chunk=5',
  'criticalkv-snapkv': 'criticalkv:window=16',
  'keyrerotation-snapkv': 'snapkv:when=prefill,window=16,kernel=5,positions=slot',
} as const

/** Their budgets, where they are not what every head keeps: 96 · (1 − 0.6) tokens in the mean. */
const budgets: Readonly<Record<string, number>> = { pyramidkv: 39 }

/** ChunkKV's recorded scores are those of the tokens; ours those of their chunks, over all heads. */
function chunkScores(scores: Float32Array, tokens: number, chunk: number): Float32Array {
  const heads = scores.length / tokens
  const shared = Array.from(
    { length: tokens },
    (_, t) =>
      Array.from({ length: heads }, (_head, h) => scores[h * tokens + t]!).reduce((a, b) => a + b) / heads,
  )
  const means = shared.map((_, t) => {
    const own = shared.slice(t - (t % chunk), t - (t % chunk) + chunk)
    return own.reduce((a, b) => a + b) / own.length
  })
  return Float32Array.from({ length: scores.length }, (_, at) => means[at % tokens]!)
}

describe.each(['qwen3', 'llama', 'qwen3-untied'])('%s', (base) => {
  const { cases: recorded } = goldenJson('policies-prefill', `${base}.json`) as {
    cases: Record<string, Recorded>
  }

  it.each(Object.entries(cases))(
    '%s keeps the recorded tokens and goes on as recorded',
    async (name, policy) => {
      const golden = await goldenTensors('policies-prefill', `${base}.safetensors`)
      const { tokens, kept_positions } = recorded[name]!
      using model = await loadModel(goldenPath(base, 'hf'), { threads: 2 })
      const ids = await golden.ids('input_ids')
      const heads = kept_positions[0]!
      const budget = budgets[name] ?? heads.reduce((sum, kept) => sum + kept.length, 0) / heads.length
      const result = await trace(model, ids, {
        policy,
        budget,
        chunk: 0,
        steps: tokens.length,
        tensors: true,
      })
      expect(result.kept[0]).toEqual(kept_positions)
      expect(result.tokens).toEqual(tokens)
      expect(
        logitError(result.tensors.get('logits')!.data, await golden.floats(`${name}.logits`)),
      ).toBeLessThanOrEqual(1)
      for (const layer of kept_positions.keys()) {
        // Its press has no rating but 1 for what stays and 0 for the rest.
        if (name === 'streaming') continue
        // Recorded are the scores before the second stage: those of the case snapkv.
        if (name === 'criticalkv-snapkv') continue
        const recordedScores = await golden.floats(`${name}.scores.${layer}`)
        const theirs = name === 'chunkkv' ? chunkScores(recordedScores, ids.length, 5) : recordedScores
        const { shape, data } = result.tensors.get(`scores.${layer}`)!
        expect(shape).toEqual([kept_positions[layer]!.length, ids.length])
        // Protected tokens have an infinite score here and a large one there.
        const rated = Array.from(data.keys()).filter((at) => Number.isFinite(data[at]))
        expect(rated.length).toBeGreaterThan(ids.length / 2)
        const ours = rated.map((at) => data[at]!)
        expect(
          logitError(
            ours,
            Float32Array.from(rated, (at) => theirs[at]!),
          ),
          `layer ${layer}`,
        ).toBeLessThanOrEqual(1)
      }
    },
  )
})
