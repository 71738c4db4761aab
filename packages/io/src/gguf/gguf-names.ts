import type { ModelFamily } from '../model-config.ts'

/** Tensor names of llama.cpp inside `blk.<n>.`, and those of Hugging Face inside `model.layers.<n>.`. */
const layerNames: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_qkv: 'self_attn.qkv_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
}

const outerNames: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
}

/** The name that Hugging Face has for a tensor of llama.cpp; unknown ones stay, to be refused by their name. */
export function modelTensorName(name: string, family: ModelFamily): string {
  const [, layer, role, kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? []
  if (role === undefined) return name
  if (layer === undefined) {
    const outer = Object.hasOwn(outerNames, role) ? outerNames[role] : undefined
    return outer === undefined ? name : `${outer}.${kind}`
  }
  const inner = Object.hasOwn(layerNames, role) ? layerNames[role] : undefined
  if (inner === undefined) return name
  // phi3 keeps gate and up in one tensor, which llama.cpp calls up.
  const fused = family === 'phi3' && role === 'ffn_up' ? 'mlp.gate_up_proj' : inner
  return `model.layers.${layer}.${fused}.${kind}`
}

/**
 * Where llama.cpp keeps a row of the query or key projection of a llama model: it stores the two halves of every head
 * interleaved, for a rotation of neighbours instead of halves.
 * @see llama.cpp convert_hf_to_gguf.py, `LlamaModel.permute`
 */
export function interleavedHeadRow(headDim: number): (row: number) => number {
  const half = headDim / 2
  return (row) => {
    const inHead = row % headDim
    return row - inHead + 2 * (inHead % half) + Math.floor(inHead / half)
  }
}
