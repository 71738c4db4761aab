import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel, trace } from '@trimkv/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GgufFormat } from './gguf-writer.ts'
import { openLlamaCpp } from './llama-cpp.ts'
import { writeRandomQwen3 } from './random-qwen3.ts'

const shape = { layers: 4, width: 256, heads: 8, kvHeads: 2, headDim: 64, hidden: 512, vocab: 500 }
const ids = Array.from({ length: 64 }, (_, i) => (i * i * 7 + i * 37 + 11) % shape.vocab)

/**
 * Bounds on the relative error of all logits. F32 is arithmetic in another order. Elsewhere llama.cpp rounds what it multiplies
 * weights with: to f16, to bf16, or to 8 bits with scales in f16 where ours are f32; a rounding that goes the other way by
 * a hair is a step of one part in 127.
 */
const bounds: Readonly<Record<GgufFormat, number>> = { F32: 1e-5, F16: 2e-3, BF16: 1.5e-2, Q8_0: 1e-2, Q4_0: 2e-2 }

/** ‖a − b‖ / ‖b‖ */
function relativeError(a: Float32Array, b: readonly number[]): number {
  const difference = b.reduce((sum, value, i) => sum + (a[i]! - value) ** 2, 0)
  return Math.sqrt(difference / b.reduce((sum, value) => sum + value ** 2, 0))
}

describe('logits of the same GGUF file in llama.cpp', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'trimkv-gguf-'))
  })
  afterAll(() => rm(dir, { recursive: true }))

  it.each(Object.entries(bounds) as [GgufFormat, number][])('%s: relative error below %f', async (matrices, bound) => {
    const { gguf } = await writeRandomQwen3(dir, { shape, seed: 11, matrices })
    await using peer = await openLlamaCpp(gguf, { vocab: shape.vocab })
    const theirs = await peer.logits(ids, ids.length)
    using model = await loadModel(gguf)
    expect(model.readBytes > 0).toBe(matrices[0] === 'Q')
    const run = await trace(model, ids, { policy: 'full', steps: 1, tensors: true })
    const ours = run.tensors.get('prefill_logits')!
    const all = theirs.flatMap((row) => [...row])
    const error = relativeError(ours.data as Float32Array, all)
    process.stdout.write(`${matrices}: ${error.toExponential(2)}\n`)
    expect(error).toBeLessThanOrEqual(bound)
    expect(error).toBeGreaterThan(0)
  })
})
