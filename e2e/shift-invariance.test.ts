import { loadModel, trace } from '@trimkv/engine'
import { expect, it } from 'vitest'
import { goldenPath, goldenTensors } from './golden.ts'

// Keys rotated by their place in the cache instead of their place in the text would give other logits here.
it.each(['trimkv', 'streaming', 'snapkv:window=4', 'keydiff'])(
  'moving all positions changes nothing after evictions: %s',
  async (policy) => {
    const ids = await (await goldenTensors('trimkv-qwen3-rg', 'golden.safetensors')).ids('input_ids')
    using model = await loadModel(goldenPath('qwen3', 'hf'), {
      gates: goldenPath('trimkv-qwen3-rg', 'gates'),
      threads: 2,
    })
    const options = { policy, budget: 16, buffer: 4, chunk: 0, steps: 20, tensors: true }
    const here = await trace(model, ids, options)
    const there = await trace(model, ids, { ...options, positionOffset: 500, force: here.tokens })
    expect(here.report.meter.evictions).toBeGreaterThan(0)
    expect(there.kept).toEqual(here.kept)
    const [a, b] = [here.tensors.get('logits')!.data, there.tensors.get('logits')!.data]
    const largest = a.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
    const apart = a.reduce((most, x, at) => Math.max(most, Math.abs(x - b[at]!)), 0)
    expect(apart).toBeLessThan(1e-3 * largest)
  },
)
