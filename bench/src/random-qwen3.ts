import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeSafetensors } from '@trimkv/io'
import { type GgufFormat, type GgufTensor, type GgufValue, ggufFormats, writeGguf } from './gguf-writer.ts'

/** The sizes that make a Qwen3 checkpoint. */
export interface Qwen3Shape {
  readonly layers: number
  readonly width: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly hidden: number
  readonly vocab: number
}

/** A weight under both of its names. */
export interface Qwen3Parameter {
  readonly hf: string
  readonly gguf: string
  readonly shape: readonly number[]
  readonly kind: 'matrix' | 'norm'
}

/** All weights of a model, the output head included. */
export function qwen3Parameters(s: Qwen3Shape): Qwen3Parameter[] {
  const matrix = (hf: string, gguf: string, ...shape: number[]): Qwen3Parameter => ({
    hf,
    gguf,
    shape,
    kind: 'matrix',
  })
  const norm = (hf: string, gguf: string, size: number): Qwen3Parameter => ({
    hf,
    gguf,
    shape: [size],
    kind: 'norm',
  })
  const layer = (l: number): Qwen3Parameter[] => {
    const hf = `model.layers.${l}.`
    const gguf = `blk.${l}.`
    return [
      norm(`${hf}input_layernorm.weight`, `${gguf}attn_norm.weight`, s.width),
      matrix(`${hf}self_attn.q_proj.weight`, `${gguf}attn_q.weight`, s.heads * s.headDim, s.width),
      matrix(`${hf}self_attn.k_proj.weight`, `${gguf}attn_k.weight`, s.kvHeads * s.headDim, s.width),
      matrix(`${hf}self_attn.v_proj.weight`, `${gguf}attn_v.weight`, s.kvHeads * s.headDim, s.width),
      matrix(`${hf}self_attn.o_proj.weight`, `${gguf}attn_output.weight`, s.width, s.heads * s.headDim),
      norm(`${hf}self_attn.q_norm.weight`, `${gguf}attn_q_norm.weight`, s.headDim),
      norm(`${hf}self_attn.k_norm.weight`, `${gguf}attn_k_norm.weight`, s.headDim),
      norm(`${hf}post_attention_layernorm.weight`, `${gguf}ffn_norm.weight`, s.width),
      matrix(`${hf}mlp.gate_proj.weight`, `${gguf}ffn_gate.weight`, s.hidden, s.width),
      matrix(`${hf}mlp.up_proj.weight`, `${gguf}ffn_up.weight`, s.hidden, s.width),
      matrix(`${hf}mlp.down_proj.weight`, `${gguf}ffn_down.weight`, s.width, s.hidden),
    ]
  }
  return [
    matrix('model.embed_tokens.weight', 'token_embd.weight', s.vocab, s.width),
    ...Array.from({ length: s.layers }, (_, l) => layer(l)).flat(),
    norm('model.norm.weight', 'output_norm.weight', s.width),
    matrix('lm_head.weight', 'output.weight', s.vocab, s.width),
  ]
}

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

function fill(parameter: Qwen3Parameter, next: () => number): Float32Array {
  const data = new Float32Array(parameter.shape.reduce((a, b) => a * b, 1))
  const scale = parameter.kind === 'norm' ? 0.2 : 1.7 / Math.sqrt(parameter.shape.at(-1)!)
  for (let i = 0; i < data.length; i++) data[i] = (parameter.kind === 'norm' ? 1 : 0) + scale * next()
  return data
}

const config = (s: Qwen3Shape): object => ({
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  vocab_size: s.vocab,
  hidden_size: s.width,
  intermediate_size: s.hidden,
  num_hidden_layers: s.layers,
  num_attention_heads: s.heads,
  num_key_value_heads: s.kvHeads,
  head_dim: s.headDim,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  rope_scaling: null,
  max_position_embeddings: contextLength,
  tie_word_embeddings: false,
  attention_bias: false,
  use_sliding_window: false,
})

/** Longest sequence that the files here allow. */
const contextLength = 4096

/** Token strings that satisfy a byte-level BPE vocabulary: nobody tokenizes with them. */
const tokens = (count: number): string[] => Array.from({ length: count }, (_, i) => `t${i}`)

/** What a GGUF file says of a model beside its weights. */
export const qwen3Metadata = (s: Qwen3Shape, context: number): Record<string, GgufValue> => ({
  'general.architecture': { string: 'qwen3' },
  'general.name': { string: 'random' },
  'qwen3.context_length': { u32: context },
  'qwen3.embedding_length': { u32: s.width },
  'qwen3.block_count': { u32: s.layers },
  'qwen3.feed_forward_length': { u32: s.hidden },
  'qwen3.attention.head_count': { u32: s.heads },
  'qwen3.attention.head_count_kv': { u32: s.kvHeads },
  'qwen3.attention.key_length': { u32: s.headDim },
  'qwen3.attention.value_length': { u32: s.headDim },
  'qwen3.attention.layer_norm_rms_epsilon': { f32: 1e-6 },
  'qwen3.rope.freq_base': { f32: 1e6 },
  'qwen3.vocab_size': { u32: s.vocab },
  'tokenizer.ggml.model': { string: 'gpt2' },
  'tokenizer.ggml.pre': { string: 'gpt-2' },
  'tokenizer.ggml.tokens': { strings: tokens(s.vocab) },
  'tokenizer.ggml.token_type': { i32s: new Array<number>(s.vocab).fill(1) },
  'tokenizer.ggml.merges': { strings: ['t 0'] },
  'tokenizer.ggml.bos_token_id': { u32: 1 },
  'tokenizer.ggml.eos_token_id': { u32: 2 },
})

/**
 * Writes one random f32 Qwen3 model twice: as a Hugging Face folder and as a GGUF file.
 * @param options `matrices`: their element type in the GGUF file; norms are F32 there, as llama.cpp writes them
 * @returns their paths
 */
export async function writeRandomQwen3(
  dir: string,
  options: { readonly shape: Qwen3Shape; readonly seed: number; readonly matrices?: GgufFormat },
): Promise<{ readonly folder: string; readonly gguf: string }> {
  const { shape: s, seed, matrices = 'F32' } = options
  const next = uniform(seed)
  const filled = qwen3Parameters(s).map((parameter) => ({ ...parameter, data: fill(parameter, next) }))
  const folder = join(dir, 'hf')
  const gguf = join(dir, 'model.gguf')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'config.json'), JSON.stringify(config(s)))
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    Object.fromEntries(filled.map(({ hf, shape, data }) => [hf, { dtype: 'f32' as const, shape, data }])),
  )
  const tensors: GgufTensor[] = filled.map(({ gguf: name, shape, data, kind }) => {
    const format = kind === 'matrix' ? matrices : 'F32'
    return { name, shape, format, data: ggufFormats[format].encode(data) }
  })
  await writeGguf(gguf, qwen3Metadata(s, contextLength), tensors)
  return { folder, gguf }
}
