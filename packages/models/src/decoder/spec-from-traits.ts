import type { ModelConfig } from '@trimkv/io'
import type { DecoderSpec } from './decoder-spec.ts'
import type { LayerWeights, Projection, StoredWeight } from './decoder-weights.ts'

/** What families do differently. */
export interface FamilyTraits {
  /** RMS norm of every query and key head before rotation. */
  readonly headNorm: 'none' | 'query-key'
  /** Which attention projections have a bias. */
  readonly attentionBias: 'none' | 'query-key-value' | 'all'
  /** Whether the projections of the MLP have a bias. */
  readonly mlpBias: 'none' | 'all'
  /** Whether q, k, v and gate, up are tensors of their own or stand in one tensor by rows. */
  readonly projections: 'separate' | 'fused'
}

const stored = (name: string, ...shape: number[]): StoredWeight => ({ name: `${name}.weight`, shape })

const projection = (weight: StoredWeight, hasBias: boolean): Projection<StoredWeight> => ({
  weight,
  ...(hasBias && { bias: { name: weight.name.replace(/weight$/, 'bias'), shape: weight.shape.slice(0, 1) } }),
})

/** Some rows of a stored tensor as a projection of their own. */
const rowsOf = (weight: StoredWeight, start: number, length: number): Projection<StoredWeight> => ({
  weight: { ...weight, rows: { start, length } },
})

function queryKeyValue(config: ModelConfig, traits: FamilyTraits, prefix: string) {
  const { hiddenSize: width } = config
  const queryRows = config.numHeads * config.headDim
  const keyRows = config.numKvHeads * config.headDim
  if (traits.projections === 'fused') {
    const fused = stored(`${prefix}qkv_proj`, queryRows + 2 * keyRows, width)
    return {
      query: rowsOf(fused, 0, queryRows),
      key: rowsOf(fused, queryRows, keyRows),
      value: rowsOf(fused, queryRows + keyRows, keyRows),
    }
  }
  const hasBias = traits.attentionBias !== 'none'
  return {
    query: projection(stored(`${prefix}q_proj`, queryRows, width), hasBias),
    key: projection(stored(`${prefix}k_proj`, keyRows, width), hasBias),
    value: projection(stored(`${prefix}v_proj`, keyRows, width), hasBias),
  }
}

function gateUp(config: ModelConfig, traits: FamilyTraits, prefix: string) {
  const { hiddenSize: width, intermediateSize: rows } = config
  if (traits.projections === 'fused') {
    const fused = stored(`${prefix}gate_up_proj`, 2 * rows, width)
    return { gate: rowsOf(fused, 0, rows), up: rowsOf(fused, rows, rows) }
  }
  const hasBias = traits.mlpBias === 'all'
  return {
    gate: projection(stored(`${prefix}gate_proj`, rows, width), hasBias),
    up: projection(stored(`${prefix}up_proj`, rows, width), hasBias),
  }
}

function storedLayer(config: ModelConfig, traits: FamilyTraits, prefix: string): LayerWeights<StoredWeight> {
  const { hiddenSize, intermediateSize, headDim, numHeads } = config
  const attention = `${prefix}self_attn.`
  const mlp = `${prefix}mlp.`
  return {
    inputNorm: stored(`${prefix}input_layernorm`, hiddenSize),
    ...queryKeyValue(config, traits, attention),
    ...(traits.headNorm === 'query-key' && {
      queryNorm: stored(`${attention}q_norm`, headDim),
      keyNorm: stored(`${attention}k_norm`, headDim),
    }),
    output: projection(
      stored(`${attention}o_proj`, hiddenSize, numHeads * headDim),
      traits.attentionBias === 'all',
    ),
    mlpNorm: stored(`${prefix}post_attention_layernorm`, hiddenSize),
    ...gateUp(config, traits, mlp),
    down: projection(stored(`${mlp}down_proj`, hiddenSize, intermediateSize), traits.mlpBias === 'all'),
  }
}

/** The spec of a decoder whose checkpoints use the tensor names of Hugging Face transformers. */
export function specFromTraits(config: ModelConfig, traits: FamilyTraits): DecoderSpec {
  const embedding = stored('model.embed_tokens', config.vocabSize, config.hiddenSize)
  return {
    family: config.family,
    layers: config.numLayers,
    vocabSize: config.vocabSize,
    hiddenSize: config.hiddenSize,
    intermediateSize: config.intermediateSize,
    heads: config.numHeads,
    kvHeads: config.numKvHeads,
    headDim: config.headDim,
    normEps: config.rmsNormEps,
    rope: config.rope,
    maxLength: config.maxPositions,
    stored: {
      embedding,
      layers: Array.from({ length: config.numLayers }, (_, i) =>
        storedLayer(config, traits, `model.layers.${i}.`),
      ),
      finalNorm: stored('model.norm', config.hiddenSize),
      head: config.tieWordEmbeddings ? embedding : { name: 'lm_head.weight', shape: embedding.shape },
    },
  }
}
