import { type JsonObject, parseModelConfig, type TensorToWrite, writeModel } from '@trimkv/io'
import { mapWeights, type StoredWeight, specOf } from '@trimkv/models'
import { elementCount } from '@trimkv/tensor'

/** `config.json` of Qwen3-0.6B, as far as it says something about the shape. */
export const qwen3Config: JsonObject = {
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  vocab_size: 151_936,
  hidden_size: 1024,
  intermediate_size: 3072,
  num_hidden_layers: 28,
  num_attention_heads: 16,
  num_key_value_heads: 8,
  head_dim: 128,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 1_000_000,
  rope_scaling: null,
  max_position_embeddings: 40_960,
  tie_word_embeddings: true,
  attention_bias: false,
  use_sliding_window: false,
  initializer_range: 0.02,
  torch_dtype: 'bfloat16',
}
const bf16One = 0x3f80
const patternSize = 1 << 20

/** Numbers between ±0.03 from an xorshift, each a bf16: every matrix repeats them from the first on. */
export function noisePattern(): Float32Array {
  const words = new Uint32Array(patternSize)
  const values = new Float32Array(words.buffer)
  let state = 1
  for (let i = 0; i < values.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    values[i] = 0.03 * ((state | 0) / 2 ** 31)
    words[i]! &= 0xffff0000
  }
  return values
}

/** `pattern` again and again. */
export function repeated<A extends Uint8Array | Uint16Array>(pattern: A, into: A): A {
  for (let at = 0; at < into.length; at += pattern.length)
    into.set(pattern.subarray(0, Math.min(pattern.length, into.length - at)), at)
  return into
}

export const bf16Bits = (values: Float32Array): Uint16Array =>
  Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16)

/** Writes a checkpoint of Qwen3-0.6B's shape with random bf16 weights: 1.2 GB. */
export async function writeQwen3Checkpoint(folder: string): Promise<void> {
  const stored = new Map<string, StoredWeight>()
  mapWeights(specOf(parseModelConfig(qwen3Config, 'config.json')).stored, (weight) =>
    stored.set(weight.name, weight),
  )
  const longest = Math.max(...[...stored.values()].map(({ shape }) => elementCount(shape)))
  const values = repeated(bf16Bits(noisePattern()), new Uint16Array(longest))
  const tensors = [...stored.values()].map(({ name, shape }): [string, TensorToWrite] => {
    const size = elementCount(shape)
    const data = shape.length === 1 ? new Uint16Array(size).fill(bf16One) : values.subarray(0, size)
    return [name, { dtype: 'bf16', shape, data }]
  })
  await writeModel(folder, { config: qwen3Config, tensors: Object.fromEntries(tensors), files: {} })
}
