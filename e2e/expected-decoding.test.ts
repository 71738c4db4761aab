import { loadModel, trace } from '@trimkv/engine'
import { describe, expect, it } from 'vitest'
import { goldenPath } from './golden.ts'

const ids = Array.from({ length: 96 }, (_, i) => (i * i * 7 + i * 37 + 11) % 250)
const policies = ['expected-attention:epsilon=0.01', 'criticalkv:base=expected'] as const

describe.each(['qwen3', 'llama', 'phi3-longrope'])('expected attention while decoding on %s', (base) => {
  it.each(policies)('%s: queries that are remembered give the cut of the prompt itself', async (policy) => {
    using model = await loadModel(goldenPath(base, 'hf'), { threads: 2 })
    const run = { budget: 30, steps: 6, chunk: 0, tensors: true }
    const afterPrompt = await trace(model, ids, { ...run, policy })
    const decoding = await trace(model, ids, { ...run, policy: `${policy},when=decode`, buffer: 2 })
    expect(decoding.kept[0]).toEqual(afterPrompt.kept[0])
    const [first, last] = [decoding.kept[0]!.flat(), decoding.kept.at(-1)!.flat()]
    for (const kept of last) expect([30, 31]).toContain(kept.length)
    expect(first.some((kept, head) => kept.some((token) => !last[head]!.includes(token)))).toBe(true)
    // Fewer queries are other statistics.
    const few = await trace(model, ids, { ...run, policy: `${policy},when=decode,queries=8`, buffer: 2 })
    expect(few.kept[0]).not.toEqual(decoding.kept[0])
  })
})
