import { join } from 'node:path'
import { configFields } from './config-fields.ts'
import { readJsonObjectIfAny } from './json-file.ts'
import { readTokenIds, tokenIds } from './model-config.ts'

/** The authors' defaults for sampling. What the file does not say is undefined, not a guess. */
export interface GenerationConfig {
  /** Empty when the file names none: those of the model configuration hold then. */
  readonly eosTokenIds: readonly number[]
  readonly bosTokenId: number | undefined
  readonly padTokenId: number | undefined
  /** False asks for greedy decoding, whatever the other fields say. */
  readonly doSample: boolean | undefined
  readonly temperature: number | undefined
  readonly topP: number | undefined
  /** 0 means all. */
  readonly topK: number | undefined
}

/**
 * Reads `generation_config.json` of a checkpoint folder; a folder without one gives all fields undefined.
 * @throws TrimError `TRIMKV_FORMAT`, or `TRIMKV_CONFIG_INVALID` for a value of the wrong type or out of range
 */
export async function readGenerationConfig(dir: string): Promise<GenerationConfig> {
  const file = join(dir, 'generation_config.json')
  const config = configFields((await readJsonObjectIfAny(file)) ?? {}, file)
  return {
    ...readTokenIds(config),
    doSample: config.boolean('do_sample'),
    temperature: config.number('temperature', { min: 0, max: 1e6 }),
    topP: config.number('top_p', { min: 0, max: 1 }),
    topK: config.integer('top_k', tokenIds),
  }
}
