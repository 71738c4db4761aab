import type { ModelConfig } from '@trimkv/io'
import type { DecoderSpec } from './decoder/decoder-spec.ts'
import { specFromTraits } from './decoder/spec-from-traits.ts'

/**
 * Phi-3: q, k, v are rows of one stored tensor, and so are gate and up.
 * @see HF transformers modeling_phi3.py
 */
export const phi3 = (config: ModelConfig): DecoderSpec =>
  specFromTraits(config, {
    headNorm: 'none',
    attentionBias: 'none',
    mlpBias: 'none',
    projections: 'fused',
  })
