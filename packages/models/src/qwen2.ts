import type { ModelConfig } from '@trimkv/io'
import type { DecoderSpec } from './decoder/decoder-spec.ts'
import { specFromTraits } from './decoder/spec-from-traits.ts'

/**
 * Qwen2 and Qwen2.5 (dense): q, k and v have biases, the output projection has none.
 * @see HF transformers modeling_qwen2.py
 */
export const qwen2 = (config: ModelConfig): DecoderSpec =>
  specFromTraits(config, {
    headNorm: 'none',
    attentionBias: 'query-key-value',
    mlpBias: 'none',
    projections: 'separate',
  })
