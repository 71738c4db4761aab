import type { JsonObject } from '@trimkv/io'

/** The two files a tokenizer is kept in, ready to be written as JSON. */
export interface TokenizerFiles {
  readonly 'tokenizer.json': JsonObject
  readonly 'tokenizer_config.json': JsonObject
}

const begin = '<|bos|>'
const end = '<|end|>'

/** The printable stand-in of every byte in byte-level BPE (GPT-2's table). */
function byteSymbols(): string[] {
  const isPlain = (byte: number): boolean =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
  let next = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isPlain(byte) ? byte : next++))
}

type Merge = readonly [left: string, right: string]

/** The pair that most words have; of several, the one whose text comes first. */
function commonestPair(words: readonly (readonly string[])[]): Merge | undefined {
  const counts = new Map<string, { pair: Merge; count: number }>()
  for (const parts of words) {
    for (let i = 0; i + 1 < parts.length; i++) {
      const pair: Merge = [parts[i]!, parts[i + 1]!]
      const key = pair.join(' ')
      counts.set(key, { pair, count: (counts.get(key)?.count ?? 0) + 1 })
    }
  }
  const ranked = [...counts.entries()].sort(([a, x], [b, y]) => y.count - x.count || (a < b ? -1 : 1))
  return ranked[0]?.[1].pair
}

function merged(parts: readonly string[], [left, right]: Merge): string[] {
  const out: string[] = []
  for (const part of parts) {
    if (part === right && out.at(-1) === left) out[out.length - 1] = left + right
    else out.push(part)
  }
  return out
}

/** Merges until every word is one token. */
function learnMerges(words: readonly string[], symbols: readonly string[]): Merge[] {
  const encoder = new TextEncoder()
  let split = words.map((word) => Array.from(encoder.encode(` ${word}`), (byte) => symbols[byte]!))
  const merges: Merge[] = []
  for (let pair = commonestPair(split); pair; pair = commonestPair(split)) {
    const found = pair
    merges.push(found)
    split = split.map((parts) => merged(parts, found))
  }
  return merges
}

const addedToken = (id: number, content: string): JsonObject => ({
  id,
  content,
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
  special: true,
})

const sequence = (name: string): JsonObject => ({ Sequence: { id: name, type_id: 0 } })
const bos: JsonObject = { SpecialToken: { id: begin, type_id: 0 } }

/** How text becomes words, and tokens text again. */
function pipeline(beginId: number): JsonObject {
  return {
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: ' ?[^ ]+' }, behavior: 'Isolated', invert: false },
        { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: false },
      ],
    },
    post_processor: {
      type: 'TemplateProcessing',
      single: [bos, sequence('A')],
      pair: [bos, sequence('A'), sequence('B')],
      special_tokens: { [begin]: { id: begin, ids: [beginId], tokens: [begin] } },
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  }
}

/**
 * A byte-level BPE tokenizer in which each of the given words, after a space, is one token; other text falls apart into
 * bytes. Text begins with `<|bos|>`; `<|end|>` exists and is never written.
 * @param words distinct; their order does not matter
 * @see Sennrich et al. 2016 (arXiv:1508.07909); Hugging Face tokenizers' file format
 */
export function wordTokenizer(words: readonly string[]): TokenizerFiles {
  const symbols = byteSymbols()
  const merges = learnMerges([...words].sort(), symbols)
  const bytes = [...symbols].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!)
  const tokens = [...bytes, ...merges.map(([left, right]) => left + right)]
  const beginId = tokens.length
  return {
    'tokenizer.json': {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [addedToken(beginId, begin), addedToken(beginId + 1, end)],
      ...pipeline(beginId),
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: merges.map((pair) => [...pair]),
      },
    },
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: begin,
      eos_token: end,
      clean_up_tokenization_spaces: false,
      model_max_length: 1_048_576,
    },
  }
}
