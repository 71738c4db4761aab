import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel, trace } from '@trimkv/engine'
import { writeModel } from '@trimkv/io'
import { randomModel } from '@trimkv/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLlamaCpp } from './llama-cpp.ts'

const shape = { layers: 4, width: 256, heads: 8, kvHeads: 2, headDim: 64, hidden: 512, vocab: 500 }
const ids = Array.from({ length: 100 }, (_, i) => (i * i * 7 + i * 37 + 11) % shape.vocab)

describe('logits against llama.cpp', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'trimkv-peer-'))
  })
  afterAll(() => rm(dir, { recursive: true }))

  it('differ by at most 1e-4 with f32 weights and an f32 cache, flash attention off', async () => {
    const { config, tensors, writeGguf } = randomModel(
      { variant: { family: 'qwen3' }, shape, contextLength: 4096 },
      11,
    )
    const [folder, gguf] = [join(dir, 'hf'), join(dir, 'model.gguf')]
    await writeModel(folder, { config, tensors, files: {} })
    await writeGguf(gguf, 'F32')
    await using peer = await openLlamaCpp(gguf, { vocab: shape.vocab })
    const theirs = await peer.logits(ids, ids.length)
    using model = await loadModel(folder)
    const run = await trace(model, ids, { policy: 'full', steps: 1, tensors: true })
    const ours = run.tensors.get('prefill_logits')!
    expect(ours.shape).toEqual([ids.length, shape.vocab])
    let largest = 0
    let difference = 0
    for (const [row, logits] of theirs.entries()) {
      for (const [token, logit] of logits.entries()) {
        largest = Math.max(largest, Math.abs(logit))
        difference = Math.max(difference, Math.abs(logit - ours.data[row * shape.vocab + token]!))
      }
    }
    expect(largest).toBeGreaterThan(1) // a model that says something
    expect(difference).toBeLessThanOrEqual(1e-4)
  })
})
