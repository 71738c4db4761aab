import { loadModel, trace } from '@trimkv/engine'
import { describe, expect, it } from 'vitest'
import { goldenModels, goldenPath, goldenTensors, logitError } from './golden.ts'

describe.each(goldenModels)('%s', (name) => {
  it('gives the recorded logits for a whole prompt and for one in chunks', async () => {
    const golden = await goldenTensors(name, 'golden.safetensors')
    const ids = await golden.ids('input_ids')
    const recorded = await golden.floats('logits')
    using model = await loadModel(goldenPath(name, 'hf'), { threads: 2 })
    for (const chunk of [0, 17]) {
      const { tensors } = await trace(model, ids, { policy: 'full', steps: 1, chunk, tensors: true })
      expect(logitError(tensors.get('prefill_logits')!.data, recorded), `chunk ${chunk}`).toBeLessThanOrEqual(
        1,
      )
    }
  })

  it('continues greedily as recorded', async () => {
    const recorded = await (await goldenTensors(name, 'golden.safetensors')).ids('greedy_ids')
    using model = await loadModel(goldenPath(name, 'hf'), { threads: 2 })
    const { tokens } = await trace(model, recorded.slice(0, 40), { policy: 'full', steps: 24 })
    expect(tokens).toEqual(recorded.slice(40))
  })
})
