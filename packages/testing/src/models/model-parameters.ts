/** Families whose files llama.cpp and this library both read. */
type RandomFamily = 'qwen3' | 'qwen2' | 'llama' | 'phi3'

/** The sizes that make a checkpoint. */
export interface ModelShape {
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly hidden: number
  readonly vocab: number
}

/** What a model of a family may have beside its sizes. */
export interface ModelVariant {
  readonly family: RandomFamily
  /** Biases of all projections of attention and MLP, which only llama may have. */
  readonly biases?: boolean
  readonly rope?: RandomRope
}

/** How keys and queries turn, where that is not plain. */
export type RandomRope =
  | {
      readonly kind: 'llama3'
      readonly factor: number
      readonly lowFreqFactor: number
      readonly highFreqFactor: number
      readonly originalLength: number
    }
  | {
      readonly kind: 'longrope'
      readonly originalLength: number
      /** Channels of a head that turn. */
      readonly rotaryDim: number
    }

/** A weight under both of its names. */
export interface ModelParameter {
  readonly hf: string
  readonly gguf: string
  readonly shape: readonly number[]
  readonly kind: 'matrix' | 'norm' | 'bias'
  /** Heads whose rows a GGUF file has in another order. */
  readonly interleavedHeads?: number
}

const matrix = (hf: string, gguf: string, ...shape: number[]): ModelParameter => ({
  hf: `${hf}.weight`,
  gguf: `${gguf}.weight`,
  shape,
  kind: 'matrix',
})

const norm = (hf: string, gguf: string, size: number): ModelParameter => ({
  hf: `${hf}.weight`,
  gguf: `${gguf}.weight`,
  shape: [size],
  kind: 'norm',
})

/** A matrix, and its bias where it has one. */
const projection = (weight: ModelParameter, hasBias: boolean): ModelParameter[] => [
  weight,
  ...(hasBias
    ? [
        {
          ...weight,
          hf: weight.hf.replace(/weight$/, 'bias'),
          gguf: weight.gguf.replace(/weight$/, 'bias'),
          shape: weight.shape.slice(0, 1),
          kind: 'bias' as const,
        },
      ]
    : []),
]

function attention(s: ModelShape, { family, biases }: ModelVariant, [hf, gguf]: Names): ModelParameter[] {
  const queryRows = s.heads * s.headDim
  const keyRows = s.kvHeads * s.headDim
  const output = matrix(`${hf}self_attn.o_proj`, `${gguf}attn_output`, s.width, queryRows)
  if (family === 'phi3') {
    return [matrix(`${hf}self_attn.qkv_proj`, `${gguf}attn_qkv`, queryRows + 2 * keyRows, s.width), output]
  }
  const hasBias = family === 'qwen2' || biases === true
  const heads = (count: number) => (family === 'llama' ? { interleavedHeads: count } : {})
  const query = { ...matrix(`${hf}self_attn.q_proj`, `${gguf}attn_q`, queryRows, s.width), ...heads(s.heads) }
  const key = { ...matrix(`${hf}self_attn.k_proj`, `${gguf}attn_k`, keyRows, s.width), ...heads(s.kvHeads) }
  return [
    ...projection(query, hasBias),
    ...projection(key, hasBias),
    ...projection(matrix(`${hf}self_attn.v_proj`, `${gguf}attn_v`, keyRows, s.width), hasBias),
    ...projection(output, biases === true),
    ...(family === 'qwen3'
      ? [
          norm(`${hf}self_attn.q_norm`, `${gguf}attn_q_norm`, s.headDim),
          norm(`${hf}self_attn.k_norm`, `${gguf}attn_k_norm`, s.headDim),
        ]
      : []),
  ]
}

function mlp(s: ModelShape, { family, biases = false }: ModelVariant, [hf, gguf]: Names): ModelParameter[] {
  const down = matrix(`${hf}mlp.down_proj`, `${gguf}ffn_down`, s.width, s.hidden)
  if (family === 'phi3') {
    return [matrix(`${hf}mlp.gate_up_proj`, `${gguf}ffn_up`, 2 * s.hidden, s.width), down]
  }
  return [
    ...projection(matrix(`${hf}mlp.gate_proj`, `${gguf}ffn_gate`, s.hidden, s.width), biases),
    ...projection(matrix(`${hf}mlp.up_proj`, `${gguf}ffn_up`, s.hidden, s.width), biases),
    ...projection(down, biases),
  ]
}

/** What stands before the names of a layer's weights, in Hugging Face and in GGUF. */
type Names = readonly [hf: string, gguf: string]

function layer(s: ModelShape, variant: ModelVariant, index: number): ModelParameter[] {
  const names: Names = [`model.layers.${index}.`, `blk.${index}.`]
  const [hf, gguf] = names
  return [
    norm(`${hf}input_layernorm`, `${gguf}attn_norm`, s.width),
    ...attention(s, variant, names),
    norm(`${hf}post_attention_layernorm`, `${gguf}ffn_norm`, s.width),
    ...mlp(s, variant, names),
  ]
}

/**
 * All weights of a model, the output head included.
 * @see llama.cpp gguf-py/gguf/tensor_mapping.py for the names
 */
export const modelParameters = (variant: ModelVariant, s: ModelShape): ModelParameter[] => [
  matrix('model.embed_tokens', 'token_embd', s.vocab, s.width),
  ...Array.from({ length: s.layers }, (_, index) => layer(s, variant, index)).flat(),
  norm('model.norm', 'output_norm', s.width),
  matrix('lm_head', 'output', s.vocab, s.width),
]
