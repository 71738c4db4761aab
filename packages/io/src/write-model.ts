import { basename, join } from 'node:path'
import { fail } from '@trimkv/tensor'
import type { JsonObject } from './json-file.ts'
import { parseModelConfig } from './model-config.ts'
import type { TensorsToWrite } from './tensor-to-write.ts'
import { jsonText, writeFolder } from './write-folder.ts'
import { safetensorsPieces } from './write-safetensors.ts'

/** A model to write. */
export interface ModelToWrite {
  /** The whole `config.json`. */
  readonly config: JsonObject
  /** Named as the family of the model names them. */
  readonly tensors: TensorsToWrite
  /** Files beside them, such as `tokenizer.json`, `tokenizer_config.json`, `chat_template.jinja`: text, or an object for JSON. */
  readonly files: Readonly<Record<string, string | JsonObject>>
}

const ownNames = ['config.json', 'model.safetensors']

/**
 * Writes a checkpoint folder as Hugging Face tools do: `model.safetensors`, the files beside it, then `config.json`, together
 * as {@link writeFolder} does.
 * @param folder made where it does not exist
 * @returns the paths of the files
 * @throws TrimError as {@link parseModelConfig} for a configuration it would refuse, as {@link safetensorsPieces} and {@link writeFolder};
 *   `TRIMKV_OPTION` for a file that is not a plain name of its own
 */
export async function writeModel(
  folder: string,
  { config, tensors, files }: ModelToWrite,
): Promise<string[]> {
  parseModelConfig(config, join(folder, 'config.json'))
  for (const name of Object.keys(files)) {
    if (basename(name) !== name || ownNames.includes(name) || /^\.*$/.test(name)) {
      fail('TRIMKV_OPTION', `${JSON.stringify(name)} cannot be a file beside a model`, {
        why: [`expected a plain name, and not ${ownNames.join(' or ')}`],
      })
    }
  }
  const texts = Object.entries(files).map(([name, content]) => {
    return [name, typeof content === 'string' ? content : jsonText(content)] as const
  })
  return writeFolder(folder, config, {
    'model.safetensors': safetensorsPieces(tensors, { format: 'pt' }),
    ...Object.fromEntries(texts),
  })
}
