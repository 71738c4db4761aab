import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChatTemplate, loadChatTemplate } from './chat-template.ts'
import { openFileReader } from './file-reader.ts'
import { gateFiles } from './gates-checkpoint.ts'
import { readGenerationConfig } from './generation-config.ts'
import { type ModelConfig, readModelConfig } from './model-config.ts'
import { openCheckpoint } from './safetensors.ts'
import type { TensorListing } from './tensor-listing.ts'
import { loadTokenizer, type Tokenizer } from './tokenizer.ts'

/** All that makes a model, wherever it is kept. */
export interface ModelSource {
  readonly config: ModelConfig
  /** Ids that end an answer. */
  readonly endIds: readonly number[]
  readonly weights: TensorListing
  /** @throws TRIMKV_NOT_FOUND when there is none, TRIMKV_UNSUPPORTED for one that has no equal here */
  tokenizer(): Promise<Tokenizer>
  /** Undefined when there is none. */
  chatTemplate(): Promise<ChatTemplate | undefined>
  /** Files that a folder of the model has beside weights and `config.json`, by name. */
  sideFiles(): Promise<ReadonlyMap<string, Uint8Array>>
}

/** Opens a folder as Hugging Face writes it. @throws TrimError as the readers of its files */
export async function openModelFolder(dir: string): Promise<ModelSource> {
  const config = await readModelConfig(dir)
  const generation = await readGenerationConfig(dir)
  const weights = await openCheckpoint(dir)
  return {
    config,
    endIds: generation.eosTokenIds.length > 0 ? generation.eosTokenIds : config.eosTokenIds,
    weights,
    tokenizer: () => loadTokenizer(dir),
    chatTemplate: () => loadChatTemplate(dir),
    sideFiles: () => readSideFiles(dir),
  }
}

const largestSideFile = 256 * 1024 * 1024
const weightFile = /\.(safetensors|safetensors\.index\.json|bin|bin\.index\.json|gguf|onnx|msgpack|h5)$/

/**
 * Weights in other formats stay behind, and so does what is too large to be anything else. Gates are kept.
 * @throws TrimError `TRIMKV_NOT_FOUND` for a link to a file that is not there, `TRIMKV_IO`
 */
async function readSideFiles(dir: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  for (const name of (await readdir(dir)).sort()) {
    const isWeights = weightFile.test(name) && name !== gateFiles.safetensors
    if (isWeights || name.startsWith('.') || name === 'config.json') continue
    const path = join(dir, name)
    const isOther = await stat(path).then(
      (found) => !found.isFile() || found.size > largestSideFile,
      () => false,
    )
    if (isOther) continue
    await using reader = await openFileReader(path)
    files.set(name, await reader.read(0, reader.size))
  }
  return files
}
