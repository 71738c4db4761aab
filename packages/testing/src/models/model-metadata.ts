import type { GgufTensor, GgufValue } from './gguf-writer.ts'
import { ggufFormats } from './gguf-writer.ts'
import type { ModelShape, ModelVariant, RandomRope } from './model-parameters.ts'

/** Base of the rotary frequencies of every model here. */
const theta = 1e6

/** A model, as its two kinds of metadata describe it. */
export interface DescribedModel {
  readonly variant: ModelVariant
  readonly shape: ModelShape
  /** Longest sequence that the files allow. */
  readonly contextLength: number
  /** Ids that end a turn and, if there are two, a message, beside the one that ends a text. */
  readonly turnEnds?: readonly number[]
}

/** Divisors that tell the frequencies, short texts and long ones apart. */
const longRopeFactors = ({ rotaryDim }: { readonly rotaryDim: number }, growth: number): number[] =>
  Array.from({ length: rotaryDim / 2 }, (_, i) => Math.fround(1 + growth * i))
const shortGrowth = 0.0625
const longGrowth = 0.75

/** @see transformers modeling_rope_utils.py, `_compute_longrope_parameters` */
const longRopeScale = (originalLength: number, contextLength: number): number =>
  Math.sqrt(1 + Math.log(contextLength / originalLength) / Math.log(originalLength))

function hfScaling(rope: RandomRope): object {
  if (rope.kind === 'llama3') {
    return {
      rope_type: 'llama3',
      factor: rope.factor,
      low_freq_factor: rope.lowFreqFactor,
      high_freq_factor: rope.highFreqFactor,
      original_max_position_embeddings: rope.originalLength,
    }
  }
  return {
    type: 'longrope',
    short_factor: longRopeFactors(rope, shortGrowth),
    long_factor: longRopeFactors(rope, longGrowth),
  }
}

/** `config.json`. */
export function hfConfig({ variant, shape: s, contextLength }: DescribedModel): Record<string, unknown> {
  const { family, rope, biases = false } = variant
  const longRope = rope?.kind === 'longrope' ? rope : undefined
  return {
    model_type: family,
    vocab_size: s.vocab,
    hidden_size: s.width,
    intermediate_size: s.hidden,
    num_hidden_layers: s.layers,
    num_attention_heads: s.heads,
    num_key_value_heads: s.kvHeads,
    // The classes of these two take it from the width.
    ...(family === 'qwen2' || family === 'phi3' ? {} : { head_dim: s.headDim }),
    hidden_act: 'silu',
    rms_norm_eps: 1e-6,
    rope_theta: theta,
    rope_scaling: rope ? hfScaling(rope) : null,
    ...(longRope && {
      original_max_position_embeddings: longRope.originalLength,
      partial_rotary_factor: longRope.rotaryDim / s.headDim,
    }),
    max_position_embeddings: contextLength,
    tie_word_embeddings: false,
    attention_bias: biases,
    mlp_bias: biases,
    use_sliding_window: false,
  }
}

/**
 * The divisor of every frequency that llama.cpp keeps for llama 3.
 * @see llama.cpp conversion/llama.py, `generate_extra_tensors`
 */
function llama3Factors(rope: Extract<RandomRope, { kind: 'llama3' }>, headDim: number): number[] {
  const { factor, lowFreqFactor, highFreqFactor, originalLength } = rope
  return Array.from({ length: headDim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * i) / headDim)
    if (wavelength < originalLength / highFreqFactor) return 1
    if (wavelength > originalLength / lowFreqFactor) return factor
    const smooth = (originalLength / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
    return 1 / ((1 - smooth) / factor + smooth)
  })
}

/** Tensors of a GGUF file that are no weights. */
export function ropeTensors({ variant, shape }: DescribedModel): GgufTensor[] {
  const { rope } = variant
  const tensor = (name: string, values: number[]): GgufTensor => ({
    name,
    shape: [values.length],
    format: 'F32',
    data: ggufFormats.F32.encode(Float32Array.from(values)),
  })
  if (!rope) return []
  if (rope.kind === 'llama3') return [tensor('rope_freqs.weight', llama3Factors(rope, shape.headDim))]
  return [
    tensor('rope_factors_long.weight', longRopeFactors(rope, longGrowth)),
    tensor('rope_factors_short.weight', longRopeFactors(rope, shortGrowth)),
  ]
}

function ggufRope({ variant, shape, contextLength }: DescribedModel): Record<string, GgufValue> {
  const { family, rope } = variant
  if (rope?.kind !== 'longrope') return { [`${family}.rope.dimension_count`]: { u32: shape.headDim } }
  const { originalLength, rotaryDim } = rope
  return {
    [`${family}.rope.dimension_count`]: { u32: rotaryDim },
    [`${family}.rope.scaling.original_context_length`]: { u32: originalLength },
    [`${family}.rope.scaling.attn_factor`]: { f32: longRopeScale(originalLength, contextLength) },
  }
}

/**
 * A byte-level vocabulary: every byte, `ab` that is merged from two, and tokens that no text gives.
 * @see openai/gpt-2 src/encoder.py, `bytes_to_unicode`
 */
function tokens(count: number): string[] {
  const isPrinted = (byte: number): boolean => (byte >= 33 && byte <= 126) || (byte >= 161 && byte !== 173)
  let others = 0
  const bytes = Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(isPrinted(byte) ? byte : 256 + others++),
  )
  const known = [...bytes, 'ab']
  return Array.from({ length: count }, (_, i) => known[i] ?? `t${i}`)
}

/** What a GGUF file says of a model beside its weights. */
export function ggufMetadata(model: DescribedModel): Record<string, GgufValue> {
  const { variant, shape: s, contextLength, turnEnds = [] } = model
  const { family } = variant
  return {
    'general.architecture': { string: family },
    'general.name': { string: 'random' },
    [`${family}.context_length`]: { u32: contextLength },
    [`${family}.embedding_length`]: { u32: s.width },
    [`${family}.block_count`]: { u32: s.layers },
    [`${family}.feed_forward_length`]: { u32: s.hidden },
    [`${family}.attention.head_count`]: { u32: s.heads },
    [`${family}.attention.head_count_kv`]: { u32: s.kvHeads },
    [`${family}.attention.key_length`]: { u32: s.headDim },
    [`${family}.attention.value_length`]: { u32: s.headDim },
    [`${family}.attention.layer_norm_rms_epsilon`]: { f32: 1e-6 },
    [`${family}.rope.freq_base`]: { f32: theta },
    ...ggufRope(model),
    // The converter writes 0 for a model that has no window.
    ...(family === 'phi3' && { 'phi3.attention.sliding_window': { u32: 0 } }),
    [`${family}.vocab_size`]: { u32: s.vocab },
    'tokenizer.ggml.model': { string: 'gpt2' },
    'tokenizer.ggml.pre': { string: 'gpt-2' },
    'tokenizer.ggml.tokens': { strings: tokens(s.vocab) },
    'tokenizer.ggml.token_type': { i32s: new Array<number>(s.vocab).fill(1) },
    'tokenizer.ggml.merges': { strings: ['a b'] },
    'tokenizer.ggml.bos_token_id': { u32: 1 },
    'tokenizer.ggml.eos_token_id': { u32: 2 },
    ...Object.fromEntries(
      turnEnds.map((id, i) => [`tokenizer.ggml.${i === 0 ? 'eot' : 'eom'}_token_id`, { u32: id }]),
    ),
  }
}
