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

/** A random f32 model under both kinds of names. */
export interface RandomModel {
  /** `config.json` of Hugging Face. */
  readonly config: Record<string, unknown>
  /** By the names of Hugging Face. */
  readonly tensors: Record<string, RandomTensor>
  /** Writes it as llama.cpp does: norms and biases in F32, matrices in any format. */
  writeGguf(path: string, matrices: GgufFormat): Promise<void>
}

interface RandomTensor {
  readonly dtype: 'f32'
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** Equal seeds give equal models. */
export function randomModel(model: DescribedModel, seed: number): RandomModel {
  const next = uniform(seed)
  const filled = modelParameters(model.variant, model.shape).map((parameter) => ({
    ...parameter,
    data: fill(parameter, next),
  }))
  return {
    config: hfConfig(model),
    tensors: Object.fromEntries(
      filled.map(({ hf, shape, data }) => [hf, { dtype: 'f32' as const, shape, data }]),
    ),
    async writeGguf(path, matrices) {
      const tensors: GgufTensor[] = filled.map(({ gguf: name, shape, data, kind, interleavedHeads }) => {
        const format = kind === 'matrix' ? matrices : 'F32'
        const rows = interleavedHeads ? interleaved(data, shape[0]!, interleavedHeads) : data
        return { name, shape, format, data: ggufFormats[format].encode(rows) }
      })
      await writeGguf(path, ggufMetadata(model), [...ropeTensors(model), ...tensors])
    },
  }
}
