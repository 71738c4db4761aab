import type { JsonObject } from '../json-file.ts'
import { malformed } from '../malformed.ts'
import type { ModelFamily } from '../model-config.ts'
import type { GgufHeader, GgufNumbers, GgufValue } from './gguf-header.ts'
import { mergesByScore } from './merges-by-score.ts'

/** Kinds of token, as llama.cpp numbers them. */
const tokenTypes = { unknown: 2, control: 3, userDefined: 4 } as const

/** Texts of tokens that end a turn or an answer; many files name none of them but the end of a text. */
const endTexts = new Set(['<|eot_id|>', '<|eom_id|>', '<|im_end|>', '<|end|>', '<|endoftext|>'])

/** Both files of a tokenizer, as a Hugging Face folder has them. */
export interface TokenizerJson {
  readonly tokenizer: JsonObject
  readonly config: JsonObject
}

interface Vocabulary {
  readonly tokens: readonly string[]
  readonly types: GgufNumbers
}

interface TokenizerFields {
  readonly file: string
  readonly family: ModelFamily
  readonly get: (name: string) => GgufValue | undefined
}

/** How text is cut before merging, by the name llama.cpp has for it. */
const splits: Readonly<
  Record<string, { readonly digits: string; readonly ignoreMerges: boolean; readonly nfc: boolean }>
> = {
  'llama-bpe': { digits: '\\p{N}{1,3}', ignoreMerges: true, nfc: false },
  qwen2: { digits: '\\p{N}', ignoreMerges: false, nfc: true },
}

/**
 * The tokenizer of a GGUF file as `tokenizer.json` would have it: byte-level BPE as qwen2, llama 3 or gpt-2 cut texts, and
 * SentencePiece BPE.
 * @throws TrimError `TRIMKV_UNSUPPORTED` for another model or another way to cut, `TRIMKV_FORMAT` for lists that do not belong together
 * @see llama.cpp src/llama-vocab.cpp
 */
export function ggufTokenizer({ metadata }: GgufHeader, file: string, family: ModelFamily): TokenizerJson {
  const fields: TokenizerFields = { file, family, get: (name) => metadata.get(`tokenizer.${name}`) }
  const vocabulary = readVocabulary(fields)
  const model = fields.get('ggml.model')
  if (model !== 'gpt2' && model !== 'llama') unsupported(fields, 'ggml.model', 'gpt2 or llama')
  const added = addedTokens(fields, vocabulary)
  const tokenizer = {
    version: '1.0',
    added_tokens: added,
    ...(model === 'gpt2' ? byteLevel(fields, vocabulary) : sentencePiece(fields, vocabulary)),
    post_processor: surroundings(fields, vocabulary),
  }
  const text = (name: string): string | undefined => tokenNamed(fields, vocabulary, name)?.text
  const template = fields.get('chat_template')
  if (typeof template === 'object') {
    malformed({ file, field: 'tokenizer.chat_template', expected: 'a text', got: template })
  }
  const config = {
    bos_token: text('bos'),
    eos_token: text('eos'),
    pad_token: text('padding'),
    chat_template: template,
  }
  return { tokenizer, config: JSON.parse(JSON.stringify(config)) as JsonObject }
}

/**
 * Tokens that end an answer by what they are called, ascending.
 * @see llama.cpp src/llama-vocab.cpp, special_eog_ids
 */
export function namedEnds({ metadata }: GgufHeader): number[] {
  const tokens = metadata.get('tokenizer.ggml.tokens')
  const types = metadata.get('tokenizer.ggml.token_type')
  if (!Array.isArray(tokens) || !ArrayBuffer.isView(types)) return []
  const isSpecial = (id: number): boolean =>
    types[id] === tokenTypes.control || types[id] === tokenTypes.userDefined
  return [...tokens.keys()].filter((id) => endTexts.has(tokens[id]) && isSpecial(id))
}

function unsupported({ file, get }: TokenizerFields, name: string, expected: string): never {
  const hint = 'use the folder of the original model, or give token ids'
  return malformed({
    code: 'TRIMKV_UNSUPPORTED',
    file,
    field: `tokenizer.${name}`,
    expected,
    got: get(name),
    hint,
  })
}

function readVocabulary(fields: TokenizerFields): Vocabulary {
  const tokens = textsOf(fields, 'ggml.tokens')
  const types =
    fields.get('ggml.token_type') === undefined
      ? new Uint8Array(tokens.length).fill(1)
      : numbersOf(fields, 'ggml.token_type')
  if (types.length !== tokens.length) {
    malformed({
      file: fields.file,
      field: 'tokenizer.ggml.token_type',
      expected: `${tokens.length} types`,
      got: types.length,
    })
  }
  return { tokens, types }
}

function textsOf({ file, get }: TokenizerFields, name: string): readonly string[] {
  const list = get(name)
  if (typeof list === 'object' && !ArrayBuffer.isView(list)) return list
  return malformed({ file, field: `tokenizer.${name}`, expected: 'a list of texts', got: list })
}

function numbersOf({ file, get }: TokenizerFields, name: string): GgufNumbers {
  const list = get(name)
  if (ArrayBuffer.isView(list)) return list
  return malformed({ file, field: `tokenizer.${name}`, expected: 'a list of numbers', got: list })
}

interface NamedToken {
  readonly id: number
  readonly text: string
}

function tokenNamed(
  { file, get }: TokenizerFields,
  { tokens }: Vocabulary,
  name: string,
): NamedToken | undefined {
  const id = get(`ggml.${name}_token_id`)
  if (id === undefined) return undefined
  const text = typeof id === 'number' ? tokens[id] : undefined
  if (typeof id === 'number' && text !== undefined) return { id, text }
  return malformed({
    file,
    field: `tokenizer.ggml.${name}_token_id`,
    expected: `an id below ${tokens.length}`,
    got: id,
  })
}

/** Special tokens of phi3 swallow the space after them, these do not; files do not say so. */
const phi3Plain = ['<unk>', '<s>', '<|endoftext|>']

function addedTokens({ family }: TokenizerFields, { tokens, types }: Vocabulary): JsonObject[] {
  return tokens.flatMap((content, id) => {
    const special = types[id] === tokenTypes.control || types[id] === tokenTypes.unknown
    if (!special && types[id] !== tokenTypes.userDefined) return []
    const rstrip = family === 'phi3' && special && !phi3Plain.includes(content)
    return [{ id, content, single_word: false, lstrip: false, rstrip, normalized: false, special }]
  })
}

/** The tokens that merging can give: all but control tokens, which are found before. */
function mergeable({ tokens, types }: Vocabulary): Record<string, number> {
  const isAdded = (id: number): boolean =>
    types[id] === tokenTypes.control || types[id] === tokenTypes.userDefined
  return Object.fromEntries(tokens.flatMap((token, id) => (isAdded(id) ? [] : [[token, id]])))
}

function byteLevel(fields: TokenizerFields, vocabulary: Vocabulary): JsonObject {
  const pre = fields.get('ggml.pre')
  const split = typeof pre === 'string' && Object.hasOwn(splits, pre) ? splits[pre] : undefined
  if (!split && pre !== 'gpt-2') unsupported(fields, 'ggml.pre', `${Object.keys(splits).join(', ')} or gpt-2`)
  const merges = textsOf(fields, 'ggml.merges')
  const level = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true }
  return {
    normalizer: split?.nfc ? { type: 'NFC' } : null,
    pre_tokenizer: split
      ? { type: 'Sequence', pretokenizers: [splitter(split.digits), { ...level, use_regex: false }] }
      : { ...level, use_regex: true },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: split?.ignoreMerges ?? false,
      vocab: mergeable(vocabulary),
      merges: merges.map((merge) => halvesOf(merge, fields.file)),
    },
  }
}

/** Only the first space divides: a text of spaces would have a million parts. */
function halvesOf(merge: string, file: string): [string, string] {
  const space = merge.indexOf(' ', 1)
  if (space >= 0) return [merge.slice(0, space), merge.slice(space + 1)]
  return malformed({ file, field: 'tokenizer.ggml.merges', expected: 'two tokens and a space', got: merge })
}

const splitter = (digits: string): JsonObject => ({
  type: 'Split',
  pattern: {
    Regex: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  },
  behavior: 'Isolated',
  invert: false,
})

function sentencePiece(fields: TokenizerFields, vocabulary: Vocabulary): JsonObject {
  const scores = numbersOf(fields, 'ggml.scores')
  if (scores.length !== vocabulary.tokens.length) {
    malformed({
      file: fields.file,
      field: 'tokenizer.ggml.scores',
      expected: `${vocabulary.tokens.length} scores`,
      got: scores.length,
    })
  }
  const prefix = fields.get('ggml.add_space_prefix') ?? true
  const vocab = mergeable(vocabulary)
  const space = { type: 'Replace', pattern: { String: ' ' }, content: '▁' }
  return {
    normalizer: prefix
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, space] }
      : space,
    pre_tokenizer: null,
    decoder: {
      type: 'Sequence',
      decoders: [
        { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(prefix ? [{ type: 'Strip', content: ' ', start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: 'BPE',
      unk_token: vocabulary.tokens[vocabulary.types.indexOf(tokenTypes.unknown)] ?? null,
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab,
      merges: mergesByScore(vocab, { scoreOf: (id) => scores[id]!, file: fields.file }),
    },
  }
}

/** What stands around every text. */
function surroundings(fields: TokenizerFields, vocabulary: Vocabulary): JsonObject | null {
  const byDefault = fields.get('ggml.model') === 'llama' || fields.get('ggml.pre') === 'llama-bpe'
  const bos =
    (fields.get('ggml.add_bos_token') ?? byDefault) ? tokenNamed(fields, vocabulary, 'bos') : undefined
  const eos = fields.get('ggml.add_eos_token') ? tokenNamed(fields, vocabulary, 'eos') : undefined
  if (!bos && !eos) return null
  const piece = (token: NamedToken | undefined) =>
    token ? [{ SpecialToken: { id: token.text, type_id: 0 } }] : []
  const sequence = (id: string) => [...piece(bos), { Sequence: { id, type_id: 0 } }, ...piece(eos)]
  const used = [bos, eos].filter((token) => token !== undefined)
  return {
    type: 'TemplateProcessing',
    single: sequence('A'),
    pair: [...sequence('A'), ...sequence('B')],
    special_tokens: Object.fromEntries(
      used.map(({ id, text }) => [text, { id: text, ids: [id], tokens: [text] }]),
    ),
  }
}
