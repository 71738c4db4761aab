import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel, trace } from '@trimkv/engine'
import { openGguf, readStored, type TensorToWrite, writeModel } from '@trimkv/io'
import { dequantise, isQuantised } from '@trimkv/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { GgufFormat } from './gguf-writer.ts'
import { openLlamaCpp } from './llama-cpp.ts'
import { writeRandomQwen3 } from './random-qwen3.ts'

const shape = { layers: 4, width: 256, heads: 8, kvHeads: 2, headDim: 64, hidden: 512, vocab: 500 }
const ids = Array.from({ length: 64 }, (_, i) => (i * i * 7 + i * 37 + 11) % shape.vocab)

/**
 * Bounds on the relative error of all logits: three times what was measured. F32 is arithmetic in another order. Elsewhere
 * llama.cpp rounds what it multiplies weights with, to f16, to bf16, or to 8 bits like we do. Rounding to 8 bits that goes the
 * other way by a hair is a whole step, so with quantised weights both are compared to exact arithmetic too.
 */
const bounds: Readonly<Record<GgufFormat, number>> = {
  F32: 2e-6,
  F16: 7e-4,
  BF16: 2e-2,
  Q8_0: 6e-2,
  Q4_0: 6e-2,
}

/** The weights of a GGUF file as f32, in a folder. */
async function writeExact(gguf: string, dir: string): Promise<void> {
  const { weights, config } = await openGguf(gguf)
  const tensors: Record<string, TensorToWrite> = {}
  for (const entry of weights.tensors.values()) {
    const spec = { dtype: entry.dtype!, shape: entry.shape }
    const bytes = await readStored(entry)
    const data = isQuantised(spec) ? dequantise(bytes, spec) : new Float32Array(bytes.buffer)
    tensors[entry.name] = { dtype: 'f32', shape: entry.shape, data }
  }
  await writeModel(dir, { config: config.raw, tensors, files: {} })
}

async function logitsOf(path: string): Promise<{ readonly data: Float32Array; readonly readBytes: number }> {
  using model = await loadModel(path)
  const run = await trace(model, ids, { policy: 'full', steps: 1, tensors: true })
  return { data: run.tensors.get('prefill_logits')!.data as Float32Array, readBytes: model.readBytes }
}

/** ‖a − b‖ / ‖b‖ */
function relativeError(a: Float32Array, b: Float32Array): number {
  const difference = b.reduce((sum, value, i) => sum + (a[i]! - value) ** 2, 0)
  return Math.sqrt(difference / b.reduce((sum, value) => sum + value ** 2, 0))
}

describe('logits of the same GGUF file in llama.cpp', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'trimkv-gguf-'))
  })
  afterAll(() => rm(dir, { recursive: true }))

  it.each(Object.entries(bounds) as [GgufFormat, number][])(
    '%s: relative error below %f',
    async (matrices, bound) => {
      const { gguf } = await writeRandomQwen3(dir, { shape, seed: 11, matrices })
      await using peer = await openLlamaCpp(gguf, { vocab: shape.vocab })
      const theirs = await peer.logits(ids, ids.length)
      const all = Float32Array.from(theirs.flatMap((row) => [...row]))
      const ours = await logitsOf(gguf)
      const isBlocked = matrices[0] === 'Q'
      expect(ours.readBytes > 0).toBe(isBlocked)
      expect(relativeError(ours.data, all)).toBeLessThanOrEqual(bound)
      if (!isBlocked) return
      await writeExact(gguf, join(dir, matrices))
      const exact = (await logitsOf(join(dir, matrices))).data
      expect(relativeError(ours.data, exact)).toBeLessThanOrEqual(1.1 * relativeError(all, exact))
      expect(relativeError(all, exact)).toBeLessThanOrEqual(bound)
    },
  )
})
