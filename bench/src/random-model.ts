import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSafetensors } from '@trimkv/io'
import { type GgufFormat, type GgufTensor, ggufFormats, writeGguf } from './gguf-writer.ts'
import { type DescribedModel, ggufMetadata, hfConfig, ropeTensors } from './model-metadata.ts'
import { type ModelParameter, modelParameters } from './model-parameters.ts'

/** Uniform numbers in [-1, 1) from a 32-bit xorshift. */
function uniform(seed: number): () => number {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state | 0) / 2 ** 31
  }
}

function fill({ shape, kind }: ModelParameter, next: () => number): Float32Array {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1))
  const scale = kind === 'matrix' ? 1.7 / Math.sqrt(shape.at(-1)!) : 0.2
  for (let i = 0; i < data.length; i++) data[i] = (kind === 'norm' ? 1 : 0) + scale * next()
  return data
}

/**
 * Rows of query or key heads as llama.cpp stores them for llama: the two halves of a head in turn.
 * @see llama.cpp conversion/llama.py, `permute`: reshape to [heads, 2, half, ...], swap the middle axes
 */
function interleaved(data: Float32Array, rows: number, heads: number): Float32Array {
  const half = rows / heads / 2
  const depth = data.length / rows
  const out = new Float32Array(data.length)
  let to = 0
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < half; i++) {
      for (const part of [0, 1]) {
        const row = (head * 2 + part) * half + i
        out.set(data.subarray(row * depth, (row + 1) * depth), to)
        to += depth
      }
    }
  }
  return out
}

/**
 * Writes one random f32 model twice: as a Hugging Face folder and as a GGUF file.
 * @param options `matrices`: their element type in the GGUF file; norms and biases are F32 there, as llama.cpp writes them
 * @returns their paths
 */
export async function writeRandomModel(
  dir: string,
  options: DescribedModel & { readonly seed: number; readonly matrices?: GgufFormat },
): Promise<{ readonly folder: string; readonly gguf: string }> {
  const { seed, matrices = 'F32' } = options
  const next = uniform(seed)
  const filled = modelParameters(options.variant, options.shape).map((parameter) => ({
    ...parameter,
    data: fill(parameter, next),
  }))
  const folder = join(dir, 'hf')
  const gguf = join(dir, 'model.gguf')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'config.json'), JSON.stringify(hfConfig(options)))
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    Object.fromEntries(filled.map(({ hf, shape, data }) => [hf, { dtype: 'f32' as const, shape, data }])),
  )
  const tensors: GgufTensor[] = filled.map(({ gguf: name, shape, data, kind, interleavedHeads }) => {
    const format = kind === 'matrix' ? matrices : 'F32'
    const rows = interleavedHeads ? interleaved(data, shape[0]!, interleavedHeads) : data
    return { name, shape, format, data: ggufFormats[format].encode(rows) }
  })
  await writeGguf(gguf, ggufMetadata(options), [...ropeTensors(options), ...tensors])
  return { folder, gguf }
}
