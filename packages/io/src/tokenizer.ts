import { join } from 'node:path'
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers'
import { fail } from '@trimkv/tensor'
import { type AddedToken, readAddedTokens, stripAroundTokens } from './added-tokens.ts'
import { isJsonObject, type JsonObject, readJsonObject, readJsonObjectIfAny } from './json-file.ts'
import { malformed } from './malformed.ts'
import { compileTokenDecoder } from './token-decoder.ts'
import { createTokenText, type TokenText } from './token-text.ts'

/** How text becomes ids. */
export interface EncodeOptions {
  /** Adds what the tokenizer puts around a text, such as `<s>`. Default true. */
  readonly addSpecialTokens?: boolean
}

/** Text to tokens and back, as `tokenizer.json` of a checkpoint says. */
export interface Tokenizer extends TokenText {
  /** Largest token id plus one. A model's embedding may have more rows. */
  readonly vocabSize: number
  readonly bosToken: string | undefined
  readonly eosToken: string | undefined
  readonly bosTokenId: number | undefined
  readonly eosTokenId: number | undefined
  /**
   * Lone surrogates in `text` count as U+FFFD.
   * @throws TrimError `TRIMKV_OPTION` for more than 2^23 characters; `TRIMKV_FORMAT` when the file turns out malformed where only this text leads
   */
  encode(text: string, options?: EncodeOptions): number[]
  /** The token as the vocabulary spells it, for example `Ġthe`. */
  idToToken(id: number): string | undefined
  tokenToId(token: string): number | undefined
  /** Whether `skipSpecialTokens` leaves it out. */
  isSpecial(id: number): boolean
}

/**
 * Loads `tokenizer.json` and `tokenizer_config.json` (optional) of a checkpoint folder. Spaces are never cleaned up after
 * decoding, whatever the configuration says: the text of the tokens is the text.
 * @throws TrimError `TRIMKV_NOT_FOUND`; `TRIMKV_FORMAT` when a file is malformed; `TRIMKV_UNSUPPORTED` for a model or a
 *   decoder that no family here uses
 * @see huggingface/tokenizers 0.23, whose ids and texts these are
 */
export async function loadTokenizer(dir: string): Promise<Tokenizer> {
  const file = join(dir, 'tokenizer.json')
  const json = await readJsonObject(file)
  return tokenizerOf(json, (await readJsonObjectIfAny(join(dir, 'tokenizer_config.json'))) ?? {}, file)
}

/** As {@link loadTokenizer}, from parsed JSON. @param file where it came from, for error messages */
export function tokenizerOf(json: JsonObject, config: JsonObject, file: string): Tokenizer {
  const added = readAddedTokens(json.added_tokens, file)
  const { tokens, idOf } = readVocabulary(json, added, file)
  const createDecoder = compileTokenDecoder(json.decoder, file)
  const library = createLibraryTokenizer({ ...json, added_tokens: added.map(withoutStripping) }, file)
  const strip = stripAroundTokens(added)
  const special = new Set(added.filter((token) => token.special).map((token) => token.id))
  const isSpecial = (id: number): boolean => special.has(id)
  const encode: Tokenizer['encode'] = (text, { addSpecialTokens = true } = {}) => {
    checkLength(text)
    const prepared = strip(Buffer.from(text).toString())
    return asTokenizer(file, () => library.encode(prepared, { add_special_tokens: addSpecialTokens }).ids)
  }
  // The library looks at parts of the file only when it uses them.
  encode('a')
  const bosToken = specialTokenText(config.bos_token)
  const eosToken = specialTokenText(config.eos_token)
  return {
    vocabSize: tokens.length,
    bosToken,
    eosToken,
    bosTokenId: bosToken === undefined ? undefined : idOf.get(bosToken),
    eosTokenId: eosToken === undefined ? undefined : idOf.get(eosToken),
    encode,
    ...createTokenText({ tokens, isSpecial }, createDecoder),
    idToToken: (id) => tokens[id],
    tokenToId: (token) => idOf.get(token),
    isSpecial,
  }
}

/** A special token in the configuration is its text, or an object that holds it. */
export function specialTokenText(value: unknown): string | undefined {
  const text = isJsonObject(value) ? value.content : value
  return typeof text === 'string' ? text : undefined
}

// Stripping is done here, see `stripAroundTokens`. Normalised tokens are looked for after it, by the library.
const withoutStripping = (token: AddedToken): AddedToken =>
  token.normalized ? token : { ...token, lstrip: false, rstrip: false }

// Without tokenizer_config.json: what the library takes from there, the original does not.
const createLibraryTokenizer = (json: JsonObject, file: string): LibraryTokenizer =>
  asTokenizer(file, () => new LibraryTokenizer(json, {}))

/** Does `work` of the library, which trusts the file: what it throws is a fault of the file. */
function asTokenizer<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (cause) {
    return malformed({ file, field: 'content', expected: 'a tokenizer', got: cause, cause })
  }
}

/** Characters of a text: more than any model reads, and the ids of a longer one would not fit into memory. */
const longestText = 2 ** 23

function checkLength({ length }: string): void {
  if (length <= longestText) return
  fail('TRIMKV_OPTION', `a text of ${length} characters cannot be encoded`, {
    why: [`at most ${longestText} are taken at once`],
    hint: 'shorten it, or encode it in parts and give the ids',
    details: { length, limit: longestText },
  })
}

/** No model has more tokens than this; ids index arrays. */
const largestVocabulary = 2 ** 24

interface Vocabulary {
  /** By id; an id that is not taken is undefined. */
  readonly tokens: readonly (string | undefined)[]
  readonly idOf: ReadonlyMap<string, number>
}

function readVocabulary(json: JsonObject, added: readonly AddedToken[], file: string): Vocabulary {
  const model = isJsonObject(json.model) ? json.model : {}
  if ((model.type ?? 'BPE') !== 'BPE') {
    malformed({ code: 'TRIMKV_UNSUPPORTED', file, field: 'model.type', expected: 'BPE', got: model.type })
  }
  const vocabulary = model.vocab
  if (!isJsonObject(vocabulary)) {
    return malformed({
      file,
      field: 'model.vocab',
      expected: 'an object from tokens to ids',
      got: vocabulary,
    })
  }
  const tokens: (string | undefined)[] = []
  const idOf = new Map<string, number>()
  const place = (token: string, id: unknown): void => {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= largestVocabulary) {
      const field = `id of token ${JSON.stringify(token)}`
      malformed({ file, field, expected: `an integer from 0 to ${largestVocabulary - 1}`, got: id })
    }
    tokens[id] = token
    idOf.set(token, id)
  }
  for (const [token, id] of Object.entries(vocabulary)) place(token, id)
  for (const { content, id } of added) place(content, id)
  return { tokens, idOf }
}
