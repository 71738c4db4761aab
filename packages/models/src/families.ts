import type { ModelConfig } from '@trimkv/io'
import type { DecoderSpec } from './decoder/decoder-spec.ts'
import { llama } from './llama.ts'
import { phi3 } from './phi3.ts'
import { qwen2 } from './qwen2.ts'
import { qwen3 } from './qwen3.ts'

/** From a configuration to a decoder. Adding a family: its file, its two lines here. */
export const families: Readonly<Record<ModelConfig['family'], (config: ModelConfig) => DecoderSpec>> = {
  qwen3,
  qwen2,
  llama,
  phi3,
}

/** The decoder that a configuration describes. */
export const specOf = (config: ModelConfig): DecoderSpec => families[config.family](config)
