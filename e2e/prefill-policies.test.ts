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
} as const

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
      const budget = heads.reduce((sum, kept) => sum + kept.length, 0) / heads.length
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
        const theirs = await golden.floats(`${name}.scores.${layer}`)
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
