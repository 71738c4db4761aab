import type { JsonObject } from '../json-file.ts'
import { malformed } from '../malformed.ts'
import type { ModelFamily } from '../model-config.ts'
import type { GgufHeader, GgufTensor, GgufValue } from './gguf-header.ts'

const familyOf: Readonly<Record<string, ModelFamily>> = {
  qwen3: 'qwen3',
  qwen2: 'qwen2',
  llama: 'llama',
  phi3: 'phi3',
}

/** Divisors of the rotary frequencies that llama.cpp keeps as tensors. */
export interface RopeFactors {
  readonly short: readonly number[]
  readonly long: readonly number[]
}

/** Names of the tensors of {@link RopeFactors}, which are no weights. */
export const ropeFactorNames: readonly string[] = [
  'rope_freqs.weight',
  'rope_factors_short.weight',
  'rope_factors_long.weight',
]

export function ggufFamily({ metadata }: GgufHeader, file: string): ModelFamily {
  const name = metadata.get('general.architecture')
  if (typeof name === 'string' && Object.hasOwn(familyOf, name)) return familyOf[name]!
  return malformed({
    code: 'TRIMKV_MODEL_UNSUPPORTED',
    file,
    field: 'general.architecture',
    expected: Object.keys(familyOf).join(', '),
    got: name,
  })
}

/** An f32 as the shortest decimal that stands for it: 1e-6, not 9.999999974752427e-7. */
const shortest = (value: GgufValue | undefined): GgufValue | undefined =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(7)) : value

/** Metadata of one file under the names of its architecture. */
function fieldsOf({ metadata }: GgufHeader): (name: string) => GgufValue | undefined {
  const architecture = String(metadata.get('general.architecture'))
  return (name) => metadata.get(`${architecture}.${name}`)
}

const tensorNamed = ({ tensors }: GgufHeader, name: string): GgufTensor | undefined =>
  tensors.find((tensor) => tensor.name === name)

function refuseOtherArithmetic(header: GgufHeader, file: string): void {
  const field = fieldsOf(header)
  const experts = field('expert_count')
  if (experts !== undefined && experts !== 0) {
    malformed({
      code: 'TRIMKV_MODEL_UNSUPPORTED',
      file,
      field: 'expert_count',
      expected: 'no experts',
      got: experts,
    })
  }
}

/**
 * The configuration that Hugging Face would have for the model, from the metadata of the file; it is read like any other.
 * @throws TrimError `TRIMKV_MODEL_UNSUPPORTED` for an architecture or a rope scaling that does not exist here
 */
export function ggufConfig(header: GgufHeader, file: string, factors: RopeFactors | undefined): JsonObject {
  refuseOtherArithmetic(header, file)
  const field = fieldsOf(header)
  const heads = field('attention.head_count')
  const headDim = field('attention.key_length') ?? headWidth(field('embedding_length'), heads)
  const valueDim = field('attention.value_length') ?? headDim
  if (valueDim !== headDim) {
    malformed({
      code: 'TRIMKV_MODEL_UNSUPPORTED',
      file,
      field: 'attention.value_length',
      expected: `${headDim}`,
      got: valueDim,
    })
  }
  const embedding = tensorNamed(header, 'token_embd.weight')
  const rotary = field('rope.dimension_count')
  const token = (name: string) => header.metadata.get(`tokenizer.ggml.${name}_token_id`)
  const config: Record<string, unknown> = {
    model_type: ggufFamily(header, file),
    hidden_size: field('embedding_length'),
    intermediate_size: field('feed_forward_length'),
    num_hidden_layers: field('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: field('attention.head_count_kv') ?? heads,
    head_dim: headDim,
    vocab_size: embedding?.shape[0],
    max_position_embeddings: field('context_length'),
    rms_norm_eps: shortest(field('attention.layer_norm_rms_epsilon')),
    hidden_act: 'silu',
    tie_word_embeddings: tensorNamed(header, 'output.weight') === undefined,
    attention_bias: tensorNamed(header, 'blk.0.attn_output.bias') !== undefined,
    mlp_bias: tensorNamed(header, 'blk.0.ffn_down.bias') !== undefined,
    rope_theta: shortest(field('rope.freq_base')) ?? 10_000,
    partial_rotary_factor:
      typeof rotary === 'number' && typeof headDim === 'number' ? rotary / headDim : undefined,
    rope_scaling: ropeScaling(header, file, factors),
    sliding_window: field('attention.sliding_window'),
    eos_token_id: token('eos'),
    bos_token_id: token('bos'),
    pad_token_id: token('padding'),
  }
  return JSON.parse(JSON.stringify(config)) as JsonObject
}

const headWidth = (width: GgufValue | undefined, heads: GgufValue | undefined): number | undefined =>
  typeof width === 'number' && typeof heads === 'number' ? width / heads : undefined

/** Scaling that comes as divisors, one per frequency: that of llama 3 is the same for every length. */
function ropeScaling(header: GgufHeader, file: string, factors: RopeFactors | undefined): unknown {
  const field = fieldsOf(header)
  const kind = field('rope.scaling.type') ?? 'none'
  if (kind !== 'none' && kind !== 'longrope') {
    malformed({
      code: 'TRIMKV_MODEL_UNSUPPORTED',
      file,
      field: 'rope.scaling.type',
      expected: 'none or longrope',
      got: kind,
    })
  }
  if (!factors) return undefined
  const original = field('rope.scaling.original_context_length') ?? field('context_length')
  return {
    type: 'longrope',
    short_factor: factors.short,
    long_factor: factors.long,
    original_max_position_embeddings: original,
    attention_factor: shortest(field('rope.scaling.attn_factor')) ?? (isLlama3(header) ? 1 : undefined),
  }
}

const isLlama3 = (header: GgufHeader): boolean => tensorNamed(header, 'rope_freqs.weight') !== undefined
