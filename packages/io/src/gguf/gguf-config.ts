import type { JsonObject } from '../json-file.ts'
import { malformed } from '../malformed.ts'
import type { ModelFamily } from '../model-config.ts'
import type { GgufHeader, GgufScalar, GgufTensor, GgufValue } from './gguf-header.ts'

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
function shortest(value: GgufScalar | undefined): GgufScalar | undefined {
  if (typeof value !== 'number' || Number.isInteger(value)) return value
  const decimals = [6, 7, 8, 9].map((digits) => Number(value.toPrecision(digits)))
  return decimals.find((decimal) => Math.fround(decimal) === value) ?? value
}

/** A value that is no list: what is one number per layer elsewhere is one for all here. */
function scalarOf(header: GgufHeader, file: string, name: string): GgufScalar | undefined {
  const value: GgufValue | undefined = header.metadata.get(name)
  return typeof value === 'object'
    ? unsupported({ file, field: name, expected: 'one value', got: value })
    : value
}

/** Metadata of one file under the names of its architecture. */
function fieldsOf(header: GgufHeader, file: string): (name: string) => GgufScalar | undefined {
  const architecture = scalarOf(header, file, 'general.architecture')
  return (name) => scalarOf(header, file, `${architecture}.${name}`)
}

const tensorNamed = ({ tensors }: GgufHeader, name: string): GgufTensor | undefined =>
  tensors.find((tensor) => tensor.name === name)

interface Refusal {
  readonly file: string
  readonly field: string
  readonly expected: string
  readonly got: unknown
}

const unsupported = (refusal: Refusal): never => malformed({ code: 'TRIMKV_MODEL_UNSUPPORTED', ...refusal })

function refuseOtherArithmetic(header: GgufHeader, file: string): void {
  const field = fieldsOf(header, file)
  const experts = field('expert_count') ?? 0
  if (experts !== 0) unsupported({ file, field: 'expert_count', expected: 'no experts', got: experts })
  const causal = field('attention.causal') ?? true
  if (causal !== true) {
    const expected = 'true: a model that writes texts from left to right'
    unsupported({ file, field: 'attention.causal', expected, got: causal })
  }
}

/**
 * The configuration that Hugging Face would have for the model, from the metadata of the file; it is read like any other.
 * @throws TrimError `TRIMKV_MODEL_UNSUPPORTED` for an architecture or a rope scaling that does not exist here
 */
export function ggufConfig(header: GgufHeader, file: string, factors: RopeFactors | undefined): JsonObject {
  refuseOtherArithmetic(header, file)
  const field = fieldsOf(header, file)
  const heads = field('attention.head_count')
  const headDim = field('attention.key_length') ?? headWidth(field('embedding_length'), heads)
  const valueDim = field('attention.value_length') ?? headDim
  if (valueDim !== headDim)
    unsupported({ file, field: 'attention.value_length', expected: `${headDim}`, got: valueDim })
  const embedding = tensorNamed(header, 'token_embd.weight')
  const window = field('attention.sliding_window')
  const token = (name: string) => scalarOf(header, file, `tokenizer.ggml.${name}_token_id`)
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
    partial_rotary_factor: rotaryShare(field('rope.dimension_count'), headDim),
    rope_scaling: ropeScaling(header, file, factors),
    // Converters write 0 for a model of such a family that has no window.
    sliding_window: window === 0 ? undefined : window,
    eos_token_id: token('eos'),
    bos_token_id: token('bos'),
    pad_token_id: token('padding'),
  }
  return JSON.parse(JSON.stringify(config)) as JsonObject
}

const headWidth = (width: GgufScalar | undefined, heads: GgufScalar | undefined): number | undefined =>
  typeof width === 'number' && typeof heads === 'number' ? width / heads : undefined

/** The share of a head that turns, such that its product with the size of the head, cut to an integer, is `rotary` again. */
function rotaryShare(rotary: GgufScalar | undefined, headDim: GgufScalar | undefined): number | undefined {
  if (typeof rotary !== 'number' || typeof headDim !== 'number') return undefined
  const share = rotary / headDim
  return Math.trunc(headDim * share) < rotary ? share + Number.EPSILON : share
}

/**
 * Scaling that comes as divisors, one per frequency: that of llama 3 is the same for every length. A factor alone stretches
 * positions evenly, also in a file that names no kind of scaling.
 * @see llama.cpp src/llama-model.cpp, `load_hparams`
 */
function ropeScaling(header: GgufHeader, file: string, factors: RopeFactors | undefined): unknown {
  const field = fieldsOf(header, file)
  const kind = field('rope.scaling.type')
  if (kind !== undefined && kind !== 'none' && kind !== 'longrope')
    unsupported({ file, field: 'rope.scaling.type', expected: 'none or longrope', got: kind })
  const name = field('rope.scaling.factor') === undefined ? 'rope.scale_linear' : 'rope.scaling.factor'
  const factor = field(name) ?? 0
  if (kind !== 'none' && factor !== 0 && factor !== 1)
    unsupported({ file, field: name, expected: '1, or no factor', got: factor })
  const attention = shortest(field('rope.scaling.attn_factor')) ?? 1
  if (!factors) {
    if (attention !== 1)
      unsupported({
        file,
        field: 'rope.scaling.attn_factor',
        expected: '1, or tensors of rope factors',
        got: attention,
      })
    return undefined
  }
  return {
    type: 'longrope',
    short_factor: factors.short,
    long_factor: factors.long,
    original_max_position_embeddings:
      field('rope.scaling.original_context_length') ?? field('context_length'),
    attention_factor: attention,
  }
}
