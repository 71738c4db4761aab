import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadModel, trace } from '@trimkv/engine'
import { openGguf, readStored, readTensorData, type TensorToWrite, writeModel } from '@trimkv/io'
import { dequantise, isQuantised } from '@trimkv/tensor'
import { type GgufFormat, type ModelVariant, randomModel, relativeError } from '@trimkv/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openLlamaCpp } from './llama-cpp.ts'

/** Heads are as wide together as the model: two of the families cannot say otherwise. */
const shape = { layers: 3, width: 256, heads: 4, kvHeads: 2, headDim: 64, hidden: 512, vocab: 500 }
const contextLength = 4096
const ids = Array.from({ length: 64 }, (_, i) => (i * i * 7 + i * 37 + 11) % shape.vocab)

const llama3 = {
  kind: 'llama3',
  factor: 8,
  lowFreqFactor: 1,
  highFreqFactor: 4,
  originalLength: 512,
} as const
/** A text is long from 256 tokens on in llama.cpp, which goes by the size of its cache, and from its own length on here. */
const longRope = (originalLength: number) => ({ kind: 'longrope', originalLength, rotaryDim: 48 }) as const

const plain: readonly GgufFormat[] = ['F32', 'Q8_0', 'Q4_0']
const models: readonly (ModelVariant & { readonly name: string; readonly formats: readonly GgufFormat[] })[] =
  [
    { name: 'qwen3', family: 'qwen3', formats: ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0'] },
    { name: 'qwen2', family: 'qwen2', formats: plain },
    { name: 'llama', family: 'llama', formats: plain },
    { name: 'llama, llama3 rope', family: 'llama', rope: llama3, formats: plain },
    { name: 'llama, biases', family: 'llama', biases: true, formats: ['F32'] },
    { name: 'phi3', family: 'phi3', formats: plain },
    { name: 'phi3, longrope, short text', family: 'phi3', rope: longRope(2048), formats: ['F32'] },
    { name: 'phi3, longrope, long text', family: 'phi3', rope: longRope(48), formats: plain },
  ]

/**
 * Bounds on the relative error of all logits. F32 is arithmetic in another order. Elsewhere llama.cpp rounds what it
 * multiplies weights with, to f16, to bf16, or to 8 bits like we do, and how far off that is differs from processor to
 * processor; so both are compared to exact arithmetic too, where ours may be no further away.
 */
const bounds: Readonly<Record<GgufFormat, number>> = {
  F32: 3e-6,
  F16: 3e-3,
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
    const data = isQuantised(spec) ? dequantise(await readStored(entry), spec) : await readTensorData(entry)
    tensors[entry.name] = { dtype: 'f32', shape: entry.shape, data }
  }
  await writeModel(dir, { config: config.raw, tensors, files: {} })
}

async function logitsOf(path: string): Promise<{ readonly data: Float32Array; readonly readBytes: number }> {
  using model = await loadModel(path)
  const run = await trace(model, ids, { policy: 'full', steps: 1, tensors: true })
  return { data: run.tensors.get('prefill_logits')!.data as Float32Array, readBytes: model.readBytes }
}

describe('logits of the same GGUF file in llama.cpp', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'trimkv-gguf-'))
  })
  afterAll(() => rm(dir, { recursive: true }))

  it.each(models.flatMap(({ formats, ...model }) => formats.map((matrices) => ({ ...model, matrices }))))(
    '$name in $matrices',
    async ({ name: _, matrices, ...variant }) => {
      const { config, tensors, writeGguf } = randomModel({ variant, shape, contextLength }, 11)
      const gguf = join(dir, 'model.gguf')
      await writeGguf(gguf, matrices)
      await using peer = await openLlamaCpp(gguf, { vocab: shape.vocab })
      const theirs = await peer.logits(ids, ids.length)
      const all = Float32Array.from(theirs.flatMap((row) => [...row]))
      const ours = await logitsOf(gguf)
      const isBlocked = matrices[0] === 'Q'
      expect(ours.readBytes > 0).toBe(isBlocked || variant.family === 'llama')
      expect(relativeError(ours.data, all)).toBeLessThanOrEqual(bounds[matrices])
      if (matrices === 'F32') {
        const folder = join(dir, 'hf')
        await writeModel(folder, { config, tensors, files: {} })
        // The same weights, named and ordered as Hugging Face does.
        expect(relativeError(ours.data, (await logitsOf(folder)).data)).toBeLessThanOrEqual(bounds.F32)
        return
      }
      await writeExact(gguf, join(dir, matrices))
      const exact = (await logitsOf(join(dir, matrices))).data
      expect(relativeError(ours.data, exact)).toBeLessThanOrEqual(1.1 * relativeError(all, exact))
      expect(relativeError(all, exact)).toBeLessThanOrEqual(bounds[matrices])
    },
  )
})
