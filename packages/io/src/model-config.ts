import { join } from 'node:path'
import { configFields, type Fields } from './config-fields.ts'
import { type JsonObject, readJsonObject } from './json-file.ts'
import { parseRope, type RopeConfig } from './rope-config.ts'
import { refuseSlidingWindow } from './sliding-window.ts'

/** Families of models that can be read; `docs/add-model.md` says how to add one. */
export type ModelFamily = 'qwen3' | 'qwen2' | 'llama' | 'phi3'

/** A decoder-only transformer, as its `config.json` describes it. Sizes are numbers of channels, heads or tokens. */
export interface ModelConfig {
  readonly family: ModelFamily
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numLayers: number
  readonly numHeads: number
  /** Divides {@link numHeads}. */
  readonly numKvHeads: number
  readonly headDim: number
  readonly vocabSize: number
  readonly maxPositions: number
  readonly rmsNormEps: number
  readonly hiddenAct: 'silu'
  /** The output projection is the embedding. */
  readonly tieWordEmbeddings: boolean
  /** Which attention projections have a bias. */
  readonly attentionBias: {
    readonly q: boolean
    readonly k: boolean
    readonly v: boolean
    readonly o: boolean
  }
  readonly mlpBias: boolean
  /** Queries and keys are normalised per head before rotation. */
  readonly qkNorm: boolean
  readonly rope: RopeConfig
  readonly eosTokenIds: readonly number[]
  readonly bosTokenId: number | undefined
  readonly padTokenId: number | undefined
  /** The file as it stands, with the fields that nothing here looks at. */
  readonly raw: JsonObject
}

/** Where a family differs: what its class in transformers 4.57.1 does when a field is absent, and what it always does. */
interface FamilyRules {
  /** Absent `num_key_value_heads` means multi-head attention; elsewhere the class default (32) helps nobody. */
  readonly kvHeadsDefaultToHeads: boolean
  readonly headDim?: number
  readonly maxPositions: number
  readonly rmsNormEps: number
  readonly slidingWindow: 'when-set' | 'when-switched-on' | 'never'
  readonly originalMaxPositions?: number
  readonly partialRotary?: true
  readonly qkNorm?: true
  readonly qkvBias?: true
  /** Reads `attention_bias`, which covers all four projections. */
  readonly attentionBiasField?: true
  readonly mlpBiasField?: true
}

const families: Readonly<Record<ModelFamily, FamilyRules>> = {
  qwen3: {
    kvHeadsDefaultToHeads: false,
    headDim: 128,
    maxPositions: 32_768,
    rmsNormEps: 1e-6,
    slidingWindow: 'when-switched-on',
    qkNorm: true,
    attentionBiasField: true,
  },
  qwen2: {
    kvHeadsDefaultToHeads: false,
    maxPositions: 32_768,
    rmsNormEps: 1e-6,
    slidingWindow: 'when-switched-on',
    qkvBias: true,
  },
  llama: {
    kvHeadsDefaultToHeads: true,
    maxPositions: 2048,
    rmsNormEps: 1e-6,
    slidingWindow: 'never',
    attentionBiasField: true,
    mlpBiasField: true,
  },
  phi3: {
    kvHeadsDefaultToHeads: true,
    maxPositions: 4096,
    rmsNormEps: 1e-5,
    slidingWindow: 'when-set',
    originalMaxPositions: 4096,
    partialRotary: true,
  },
}

// Far above any model there is, low enough that products of two stay exact.
const sizes = { min: 1, max: 2 ** 24 }
const layers = { min: 1, max: 4096 }
const positions = { min: 1, max: 2 ** 31 - 1 }
export const tokenIds: { readonly min: number; readonly max: number } = { min: 0, max: 2 ** 31 - 1 }

/**
 * Reads `config.json` of a checkpoint folder. Strict about every field that changes the arithmetic, silent about others.
 * @throws TrimError `TRIMKV_NOT_FOUND`, `TRIMKV_FORMAT`; `TRIMKV_CONFIG_INVALID` for a value of the wrong type or out of
 *   range; `TRIMKV_MODEL_UNSUPPORTED` for what is valid and does not exist here (another family, activation, rope
 *   scaling, a sliding window that would cut, quantised weights)
 * @see transformers 4.57.1, configuration_{qwen3,qwen2,llama,phi3}.py and the models beside them
 */
export async function readModelConfig(dir: string): Promise<ModelConfig> {
  const file = join(dir, 'config.json')
  return parseModelConfig(await readJsonObject(file), file)
}

/**
 * As {@link readModelConfig}, from parsed JSON.
 * @param file where it came from, for error messages
 */
export function parseModelConfig(raw: JsonObject, file: string): ModelConfig {
  const config = configFields(raw, file)
  const family = readFamily(config)
  const rules = families[family]
  refuseOtherArithmetic(config)

  const size = (name: string): number => config.required(name, config.integer(name, sizes))
  const hiddenSize = size('hidden_size')
  const numLayers = config.required('num_hidden_layers', config.integer('num_hidden_layers', layers))
  const heads = readHeads(config, { hiddenSize, rules })
  const maxPositions = config.integer('max_position_embeddings', positions) ?? rules.maxPositions
  refuseSlidingWindow(config, { rule: rules.slidingWindow, numLayers, maxPositions })
  const rope = parseRope(config, {
    headDim: heads.headDim,
    maxPositions,
    allowsPartial: rules.partialRotary ?? false,
    originalMaxPositions: rules.originalMaxPositions,
  })
  const bias = (rules.attentionBiasField && config.boolean('attention_bias')) ?? false
  const qkvBias = rules.qkvBias ?? bias

  return {
    family,
    hiddenSize,
    intermediateSize: size('intermediate_size'),
    numLayers,
    ...heads,
    vocabSize: size('vocab_size'),
    maxPositions,
    rmsNormEps: config.number('rms_norm_eps', { min: Number.MIN_VALUE, max: 1 }) ?? rules.rmsNormEps,
    hiddenAct: 'silu',
    tieWordEmbeddings: config.boolean('tie_word_embeddings') ?? false,
    attentionBias: { q: qkvBias, k: qkvBias, v: qkvBias, o: bias },
    mlpBias: (rules.mlpBiasField && config.boolean('mlp_bias')) ?? false,
    qkNorm: rules.qkNorm ?? false,
    rope,
    ...readTokenIds(config),
    raw,
  }
}

function readFamily(config: Fields): ModelFamily {
  const family = config.required('model_type', config.text('model_type'))
  if (Object.hasOwn(families, family)) return family as ModelFamily
  return config.unsupported('model_type', Object.keys(families).join(', '))
}

function refuseOtherArithmetic(config: Fields): void {
  const activation = config.text('hidden_act') ?? 'silu'
  if (activation !== 'silu') config.unsupported('hidden_act', 'silu')
  const quantization = config.get('quantization_config')
  if (quantization !== undefined) {
    config.unsupported(
      'quantization_config',
      'weights in f32, bf16 or f16',
      'use the checkpoint it was made from',
    )
  }
}

function readHeads(config: Fields, { hiddenSize, rules }: { hiddenSize: number; rules: FamilyRules }) {
  const numHeads = config.required('num_attention_heads', config.integer('num_attention_heads', sizes))
  const numKvHeads = config.required(
    'num_key_value_heads',
    config.integer('num_key_value_heads', sizes) ?? (rules.kvHeadsDefaultToHeads ? numHeads : undefined),
  )
  if (numHeads % numKvHeads !== 0) {
    config.invalid('num_key_value_heads', `a divisor of num_attention_heads ${numHeads}`)
  }
  const headDim = config.integer('head_dim', sizes) ?? rules.headDim ?? hiddenSize / numHeads
  if (!Number.isInteger(headDim))
    config.invalid('num_attention_heads', `a divisor of hidden_size ${hiddenSize}`)
  return { numHeads, numKvHeads, headDim }
}

/** Ids below 0 stand for none in older files. */
export function readTokenIds(config: Fields): Pick<ModelConfig, 'eosTokenIds' | 'bosTokenId' | 'padTokenId'> {
  const orNone = { min: -1, max: tokenIds.max }
  const one = (name: string): number | undefined => {
    const id = config.integer(name, orNone)
    return id === -1 ? undefined : id
  }
  return {
    eosTokenIds: config.integers('eos_token_id', tokenIds) ?? [],
    bosTokenId: one('bos_token_id'),
    padTokenId: one('pad_token_id'),
  }
}
