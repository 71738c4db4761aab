import { loadModel, trace } from '@trimkv/engine'
import { describe, expect, it } from 'vitest'
import { goldenPath, goldenTensors, logitError } from './golden.ts'

describe.each(['qwen3', 'llama', 'phi3'])('positions=slot on %s', (base) => {
  const run = async (policy: string, mode: { exact: true } | { buffer: number; chunk: number }) => {
    const golden = await goldenTensors(base, 'golden.safetensors')
    using model = await loadModel(goldenPath(base, 'hf'), { threads: 2 })
    const ids = await golden.ids('input_ids')
    return await trace(model, ids, { policy, budget: 16, steps: 20, tensors: true, ...mode })
  }
  const modes = [{ exact: true as const }, { buffer: 5, chunk: 7 }]

  it.each(modes)('of a plain window changes no distance, so nothing else: %o', async (mode) => {
    const keep = await run('streaming:sinks=0', mode)
    const slot = await run('streaming:sinks=0,positions=slot', mode)
    expect(slot.kept).toEqual(keep.kept)
    expect(slot.tokens).toEqual(keep.tokens)
    const logits = slot.tensors.get('logits')!.data
    expect(logitError(logits, keep.tensors.get('logits')!.data)).toBeLessThanOrEqual(1)
  })

  it.each(modes)('brings sinks closer, which is seen: %o', async (mode) => {
    const keep = await run('streaming:sinks=4', mode)
    const slot = await run('streaming:sinks=4,positions=slot', mode)
    expect(slot.kept).toEqual(keep.kept)
    const logits = slot.tensors.get('logits')!.data
    expect(logitError(logits, keep.tensors.get('logits')!.data)).toBeGreaterThan(10)
  })
})
