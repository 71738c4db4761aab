import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError } from '../test/trim-error.ts'
import { loadTokenizer, type Tokenizer } from './tokenizer.ts'

const folder = useTemporaryFolder()

interface Case {
  readonly text: string
  readonly ids: number[]
  readonly ids_no_special: number[]
  readonly decoded: string
  readonly decoded_skip: string
}

const names = ['qwen2-bpe', 'llama3-bpe', 'sentencepiece-bpe']
const load = (name: string) => loadTokenizer(goldenPath(`tokenizers/${name}`))
const json = (path: string) => JSON.parse(readFileSync(goldenPath(`tokenizers/${path}`), 'utf8'))

function streamed(tokenizer: Tokenizer, ids: Iterable<number>, skipSpecialTokens = false): string {
  const decoder = tokenizer.streamDecoder({ skipSpecialTokens })
  return [...Array.from(ids, (id) => decoder.push(id)), decoder.flush()].join('')
}

/** Ids that no encoder gives: half characters, bytes that are no UTF-8, ids without a token. */
function* randomIdLists(vocabSize: number, count: number): Generator<number[]> {
  let state = 7
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
  for (let i = 0; i < count; i++) {
    const below = i % 2 === 0 ? vocabSize + 5 : 300
    yield Array.from({ length: 1 + random(12) }, () => random(below))
  }
}

describe.each(names)('%s', (name) => {
  const cases: Case[] = json(`${name}/golden.json`)

  it(`encodes and decodes ${cases.length} recorded texts`, async () => {
    const tokenizer = await load(name)
    for (const { text, ids, ids_no_special, decoded, decoded_skip } of cases) {
      expect(tokenizer.encode(text), text).toEqual(ids)
      expect(tokenizer.encode(text, { addSpecialTokens: false }), text).toEqual(ids_no_special)
      expect(tokenizer.decode(ids), text).toBe(decoded)
      expect(tokenizer.decode(ids, { skipSpecialTokens: true }), text).toBe(decoded_skip)
    }
  })

  it('streams, and splits into pieces, what it decodes', async () => {
    const tokenizer = await load(name)
    const lists = [...cases.map(({ ids }) => ids), ...randomIdLists(tokenizer.vocabSize, 500)]
    for (const ids of lists) {
      for (const skipSpecialTokens of [false, true]) {
        const whole = tokenizer.decode(ids, { skipSpecialTokens })
        expect(streamed(tokenizer, ids, skipSpecialTokens)).toBe(whole)
        const pieces = tokenizer.pieces(ids, { skipSpecialTokens })
        expect(pieces).toHaveLength(ids.length)
        expect(pieces.join('')).toBe(whole)
      }
    }
  })

  it('decodes nothing to nothing', async () => {
    const tokenizer = await load(name)
    expect(tokenizer.decode([])).toBe('')
    expect(tokenizer.pieces([])).toEqual([])
    expect(tokenizer.streamDecoder().flush()).toBe('')
  })
})

describe('a byte-level tokenizer', () => {
  it('holds back a character until its last byte', async () => {
    const tokenizer = await load('qwen2-bpe')
    const ids = tokenizer.encode('🙂!')
    const decoder = tokenizer.streamDecoder()
    const pushed = ids.map((id) => decoder.push(id))
    expect(pushed.join('')).toBe('🙂!')
    expect(pushed.every((text) => !text.includes('\ufffd'))).toBe(true)
    expect(pushed.filter((text) => text === '').length).toBeGreaterThan(0)
    expect(decoder.flush()).toBe('')
  })

  it('gives a character that never ends as U+FFFD, and starts anew after a flush', async () => {
    const tokenizer = await load('qwen2-bpe')
    const [first] = tokenizer.encode('🙂')
    const decoder = tokenizer.streamDecoder()
    expect(decoder.push(first!)).toBe('')
    expect(decoder.flush()).toBe('\ufffd')
    expect(decoder.push(tokenizer.encode('a')[0]!)).toBe('a')
  })

  it('keeps special tokens apart', async () => {
    const tokenizer = await load('llama3-bpe')
    expect(tokenizer).toMatchObject({
      bosToken: '<|begin_of_text|>',
      bosTokenId: 700,
      eosToken: '<|eot_id|>',
      eosTokenId: 702,
      vocabSize: 703,
    })
    expect(tokenizer.idToToken(700)).toBe('<|begin_of_text|>')
    expect(tokenizer.idToToken(703)).toBeUndefined()
    expect(tokenizer.tokenToId('<|eot_id|>')).toBe(702)
    expect([tokenizer.isSpecial(702), tokenizer.isSpecial(64)]).toEqual([true, false])
    expect((await load('qwen2-bpe')).bosTokenId).toBeUndefined()
  })

  it('gives no text for ids past the vocabulary and refuses what is no id', async () => {
    const tokenizer = await load('qwen2-bpe')
    expect(tokenizer.decode([64, 100_000, 65])).toBe('ab')
    expect(tokenizer.decode(Int32Array.of(64, 65))).toBe('ab')
    for (const id of [-1, 1.5, Number.NaN]) {
      await expectTrimError(() => tokenizer.decode([id]), 'TRIMKV_TOKEN_RANGE', /integer ≥ 0/)
    }
  })

  it('encodes the test texts of a small model as recorded', async () => {
    const tokenizer = await loadTokenizer(goldenPath('recall-small'))
    const rows = readFileSync(goldenPath('recall-small/test.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    for (const { text, ids } of rows) expect(tokenizer.encode(text)).toEqual(ids)
  })
})

// Expected values of these two: the `tokenizers` package 0.23.2, where the JavaScript library differs from it.
describe('a tokenizer with byte fallback', () => {
  it('decodes a run of bytes as a whole or not at all', async () => {
    const tokenizer = await load('sentencepiece-bpe')
    expect(tokenizer.decode([49, 358, 237, 125])).toBe('.+ \ufffd\ufffd')
    expect(tokenizer.decode([254, 77, 417, 536, 561])).toBe('\ufffd\ufffdмир! icry')
  })

  it('keeps a byte order mark, and white space apart from it around special tokens', async () => {
    const tokenizer = await load('sentencepiece-bpe')
    const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false })
    expect(tokenizer.decode(encode('\ufeffa'))).toBe('\ufeffa')
    expect(encode('<|user|>\u2028\ufeff')).toEqual([700, 330, 242, 190, 194])
    expect(encode('<|assistant|>\u0085')).toEqual([701])
  })

  it('reads a lone surrogate as U+FFFD', async () => {
    const good = json('sentencepiece-bpe/tokenizer.json')
    good.model.vocab['\ufffd'] = 703
    const tokenizer = await loadTokenizer(folder.folder({ 'tokenizer.json': good }))
    expect(tokenizer.encode('\ud800', { addSpecialTokens: false })).toEqual([330, 703])
  })

  it('gives each character to the token that completes it', async () => {
    const tokenizer = await load('sentencepiece-bpe')
    const ids = tokenizer.encode('é🙂x', { addSpecialTokens: false })
    const tokens = ids.map((id) => tokenizer.idToToken(id))
    const pieces = tokenizer.pieces(ids)
    expect(pieces.join('')).toBe('é🙂x')
    expect(pieces[tokens.findLastIndex((token) => token?.startsWith('<0x'))]).toBe('🙂')
    expect(pieces.at(-1)).toBe('x')
  })

  it('drops the space that encoding put before the text, in a stream too', async () => {
    const tokenizer = await load('sentencepiece-bpe')
    expect(streamed(tokenizer, tokenizer.encode('a b', { addSpecialTokens: false }))).toBe('a b')
  })
})

describe('a malformed tokenizer', () => {
  const good = json('qwen2-bpe/tokenizer.json')
  it.each<[what: string, change: object, code: 'TRIMKV_FORMAT' | 'TRIMKV_UNSUPPORTED', message: RegExp]>([
    ['no model', { model: null }, 'TRIMKV_FORMAT', /model\.vocab/],
    [
      'a vocabulary that is a list',
      { model: { ...good.model, vocab: ['a'] } },
      'TRIMKV_FORMAT',
      /model\.vocab/,
    ],
    [
      'an id that is no integer',
      { model: { ...good.model, vocab: { a: 0.5 } } },
      'TRIMKV_FORMAT',
      /id of token "a"/,
    ],
    ['a huge id', { model: { ...good.model, vocab: { a: 4e9 } } }, 'TRIMKV_FORMAT', /id of token "a"/],
    ['no merges', { model: { ...good.model, merges: undefined } }, 'TRIMKV_FORMAT', /a tokenizer/],
    [
      'a model of another kind',
      { model: { type: 'Unigram', vocab: [] } },
      'TRIMKV_UNSUPPORTED',
      /model\.type.*BPE.*Unigram/s,
    ],
    ['added tokens that are no list', { added_tokens: {} }, 'TRIMKV_FORMAT', /added_tokens/],
    ['an added token without a text', { added_tokens: [{ id: 7 }] }, 'TRIMKV_FORMAT', /added_tokens\[0\]/],
    [
      'an empty added token',
      { added_tokens: [{ id: 7, content: '' }] },
      'TRIMKV_FORMAT',
      /added_tokens\[0\]/,
    ],
    [
      'more added tokens than any text should be searched for',
      { added_tokens: Array.from({ length: 16_385 }, (_, i) => ({ id: 1000 + i, content: `t${i}` })) },
      'TRIMKV_UNSUPPORTED',
      /added_tokens[\s\S]*16384[\s\S]*16385/,
    ],
    [
      'an added token as long as a book',
      { added_tokens: [{ id: 1000, content: 'x'.repeat(1025) }] },
      'TRIMKV_UNSUPPORTED',
      /added_tokens\[0\]\.content[\s\S]*1024 characters[\s\S]*1025/,
    ],
    ['no decoder', { decoder: null }, 'TRIMKV_UNSUPPORTED', /decoder/],
    [
      'a decoder of another kind',
      { decoder: { type: 'WordPiece' } },
      'TRIMKV_UNSUPPORTED',
      /decoder.*WordPiece/s,
    ],
    [
      'a decoder that strips the end',
      {
        decoder: {
          type: 'Sequence',
          decoders: [{ type: 'Fuse' }, { type: 'Strip', content: ' ', start: 0, stop: 1 }],
        },
      },
      'TRIMKV_UNSUPPORTED',
      /Strip/,
    ],
    [
      'a post-processor of other values',
      { post_processor: { type: 'TemplateProcessing', single: ['t', 7], pair: [], special_tokens: {} } },
      'TRIMKV_FORMAT',
      /a tokenizer/,
    ],
    [
      'a post-processor without a list',
      { post_processor: { type: 'TemplateProcessing', single: 1, pair: [], special_tokens: {} } },
      'TRIMKV_FORMAT',
      /a tokenizer/,
    ],
  ])('is refused: %s', async (_, change, code, message) => {
    const dir = folder.folder({ 'tokenizer.json': { ...good, ...change } })
    await expectTrimError(() => loadTokenizer(dir), code, message)
  })

  it('is named when it is missing or cut, and needs no configuration', async () => {
    await expectTrimError(() => loadTokenizer(folder.folder({})), 'TRIMKV_NOT_FOUND', /tokenizer\.json/)
    const cut = folder.folder({ 'tokenizer.json': JSON.stringify(good).slice(0, 999) })
    await expectTrimError(() => loadTokenizer(cut), 'TRIMKV_FORMAT', /JSON/)
    expect((await loadTokenizer(folder.folder({ 'tokenizer.json': good }))).eosTokenId).toBeUndefined()
  })
})

it('refuses a text that would not fit', async () => {
  const tokenizer = await load('qwen2-bpe')
  await expectTrimError(
    () => tokenizer.encode('x'.repeat(100_000_000)),
    'TRIMKV_OPTION',
    /100000000[\s\S]*8388608/,
  )
})
