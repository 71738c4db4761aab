import type { ModelConfig } from '@trimkv/io'
import type { DecoderSpec } from './decoder/decoder-spec.ts'
import { specFromTraits } from './decoder/spec-from-traits.ts'

/**
 * Llama 2 and 3, and models distilled into them.
 * @see HF transformers modeling_llama.py
 */
export const llama = (config: ModelConfig): DecoderSpec =>
  specFromTraits(config, {
    headNorm: 'none',
    attentionBias: config.attentionBias.o ? 'all' : 'none',
    mlpBias: config.mlpBias ? 'all' : 'none',
    projections: 'separate',
  })
