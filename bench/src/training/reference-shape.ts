import { parseModelConfig } from '@trimkv/io'
import { type DecoderSpec, specOf } from '@trimkv/models'
import type { Batch } from '@trimkv/trainer'

/** The reference model's sizes, and the batch of the last stage of its training. */
export const referenceBatch = { batch: 16, length: 256 } as const

export function referenceSpec(): DecoderSpec {
  const config = {
    architectures: ['Qwen3ForCausalLM'],
    model_type: 'qwen3',
    vocab_size: 576,
    hidden_size: 128,
    intermediate_size: 384,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 32,
    rms_norm_eps: 1e-6,
    rope_theta: 100_000,
    max_position_embeddings: 1_048_576,
    tie_word_embeddings: true,
    hidden_act: 'silu',
  }
  return specOf(parseModelConfig(config, 'the shape of the reference model'))
}

/** Rows of one document each, every token a target. */
export function denseBatch(shape: {
  readonly batch: number
  readonly length: number
  readonly vocab: number
}): Batch {
  const { batch, length, vocab } = shape
  const size = batch * length
  const ids = Int32Array.from({ length: size }, (_, i) => (i * 7919 + (i >> 3)) % vocab)
  return {
    batch,
    length,
    ids,
    labels: ids,
    positions: Int32Array.from({ length: size }, (_, i) => i % length),
    starts: new Int32Array(size),
    weights: new Float32Array(size).fill(1),
  }
}
