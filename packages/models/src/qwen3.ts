import type { ModelConfig } from '@trimkv/io'
import type { DecoderSpec } from './decoder/decoder-spec.ts'
import { specFromTraits } from './decoder/spec-from-traits.ts'

/**
 * Qwen3 (dense): query and key heads are normalised before rotation.
 * @see HF transformers modeling_qwen3.py
 */
export const qwen3 = (config: ModelConfig): DecoderSpec =>
  specFromTraits(config, {
    headNorm: 'query-key',
    attentionBias: config.attentionBias.o ? 'all' : 'none',
    mlpBias: 'none',
    projections: 'separate',
  })
