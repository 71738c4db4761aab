import { type ChatTemplate, chatTemplateOf } from '../chat-template.ts'
import { configFields } from '../config-fields.ts'
import { type FileReader, openFileReader } from '../file-reader.ts'
import { type ModelConfig, type ModelFamily, parseModelConfig, tokenIds } from '../model-config.ts'
import type { ModelSource } from '../model-source.ts'
import { readTensorData } from '../read-tensor.ts'
import type { TensorEntry, TensorListing } from '../tensor-listing.ts'
import { tokenizerOf } from '../tokenizer.ts'
import { ggufConfig, ggufFamily, type RopeFactors, ropeFactorNames } from './gguf-config.ts'
import { type GgmlType, type GgufHeader, type GgufTensor, readGgufHeader } from './gguf-header.ts'
import { interleavedHeadRow, modelTensorName } from './gguf-names.ts'
import { ggufTokenizer, namedEnds } from './gguf-tokenizer.ts'

const dtypes = { F32: 'f32', F16: 'f16', BF16: 'bf16', Q8_0: 'q8', Q4_0: 'q4' } as const satisfies Record<
  GgmlType,
  string
>

/**
 * Opens a model in a GGUF file of llama.cpp: qwen3, qwen2, llama or phi3 with F32, F16, BF16, Q8_0 or Q4_0 tensors. Only the header
 * is read. Tensors get the names and the order of rows that Hugging Face has; those that cannot be mapped as they stand are
 * told by `isStoredInPlace`.
 * @throws TrimError `TRIMKV_NOT_FOUND`, `TRIMKV_IO`, `TRIMKV_FORMAT`, `TRIMKV_UNSUPPORTED`, `TRIMKV_MODEL_UNSUPPORTED`, `TRIMKV_CONFIG_INVALID`
 * @see ggml docs/gguf.md; llama.cpp gguf-py/gguf/constants.py for names
 */
export async function openGguf(path: string): Promise<ModelSource> {
  await using reader = await openFileReader(path)
  const header = await readGgufHeader(reader)
  const family = ggufFamily(header, path)
  const config = parseModelConfig(ggufConfig(header, path, await ropeFactors(header, path)), path)
  const endIds = endIdsOf(header, config, path)
  const tokenizerJson = () => ggufTokenizer(header, path, family)
  return {
    config,
    endIds,
    weights: listWeights(header, { reader, family, config }),
    async tokenizer() {
      const { tokenizer, config: settings } = tokenizerJson()
      return tokenizerOf(tokenizer, settings, path)
    },
    async chatTemplate(): Promise<ChatTemplate | undefined> {
      return chatTemplateOf(tokenizerJson().config, path)
    },
    async sideFiles() {
      const { tokenizer, config: settings } = tokenizerJson()
      const encode = (value: unknown) => Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
      return new Map([
        ['tokenizer.json', encode(tokenizer)],
        ['tokenizer_config.json', encode(settings)],
        // `config.json` names the end of a text only.
        ['generation_config.json', encode({ eos_token_id: endIds })],
      ])
    },
  }
}

/** Some models end a turn by another token than a text. */
function endIdsOf(header: GgufHeader, { eosTokenIds }: ModelConfig, file: string): number[] {
  const { metadata } = header
  const names = ['eot', 'eom'].map((name) => `tokenizer.ggml.${name}_token_id`)
  const fields = configFields(Object.fromEntries(names.map((name) => [name, metadata.get(name)])), file)
  const others = names.map((name) => fields.integer(name, tokenIds)).filter((id) => id !== undefined)
  return [...new Set([...eosTokenIds, ...others, ...namedEnds(header)])]
}

interface Surroundings {
  readonly reader: FileReader
  readonly family: ModelFamily
  readonly config: ModelConfig
}

const entryOf = (tensor: GgufTensor, file: string): TensorEntry => ({
  name: tensor.name,
  dtype: dtypes[tensor.type],
  fileDtype: tensor.type,
  shape: tensor.shape,
  file,
  byteOffset: tensor.byteOffset,
  byteLength: tensor.byteLength,
})

function listWeights({ tensors }: GgufHeader, { reader, family, config }: Surroundings): TensorListing {
  const entries = tensors
    .filter(({ name }) => !ropeFactorNames.includes(name))
    .map((tensor): TensorEntry => {
      const name = modelTensorName(tensor.name, family)
      const isInterleaved = family === 'llama' && /self_attn\.[qk]_proj\./.test(name)
      const order = isInterleaved ? { fileRow: interleavedHeadRow(config.headDim) } : {}
      return { ...entryOf(tensor, reader.path), name, ...order }
    })
  return {
    tensors: new Map(entries.map((entry) => [entry.name, entry])),
    metadata: {},
    files: [{ path: reader.path, size: reader.size }],
  }
}

async function ropeFactors({ tensors }: GgufHeader, file: string): Promise<RopeFactors | undefined> {
  const read = async (name: string): Promise<readonly number[] | undefined> => {
    const tensor = tensors.find((candidate) => candidate.name === name)
    return tensor && [...(await readTensorData(entryOf(tensor, file)))]
  }
  const [both, short, long] = await Promise.all(ropeFactorNames.map(read))
  if (both) return { short: both, long: both }
  return short && long ? { short, long } : undefined
}
