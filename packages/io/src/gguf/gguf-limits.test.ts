import { type GgufValue, ggufMetadata, writeGguf } from '@trimkv/testing'
import { describe, expect, it } from 'vitest'
import { useTemporaryFolder } from '../../test/temporary-folder.ts'
import { expectTrimError } from '../../test/trim-error.ts'
import { openFileReader } from '../file-reader.ts'
import { openGguf } from './gguf.ts'
import { readGgufHeader } from './gguf-header.ts'

const folder = useTemporaryFolder()

const shape = { layers: 1, width: 32, heads: 2, kvHeads: 1, headDim: 16, hidden: 32, vocab: 300 }
const described = { variant: { family: 'llama' }, shape, contextLength: 64 } as const

/** A llama with other metadata, and no weight but its embedding. */
async function write(more: Readonly<Record<string, GgufValue>>): Promise<string> {
  const path = folder.path('limits.gguf')
  const data = new Uint8Array(4 * shape.vocab * shape.width)
  const embedding = {
    name: 'token_embd.weight',
    shape: [shape.vocab, shape.width],
    format: 'F32',
    data,
  } as const
  await writeGguf(path, { ...ggufMetadata(described), ...more }, [embedding])
  return path
}

const sentencePiece = (tokens: readonly string[]): Record<string, GgufValue> => ({
  'tokenizer.ggml.model': { string: 'llama' },
  'tokenizer.ggml.tokens': { strings: ['<s>', '</s>', '<unk>', ...tokens] },
  'tokenizer.ggml.token_type': { i32s: [3, 3, 2, ...tokens.map(() => 1)] },
  'tokenizer.ggml.scores': { f32s: [0, 0, 0, ...tokens.map((_, id) => -id)] },
})

describe('tokens of a SentencePiece vocabulary', () => {
  it('are made of every two others, and of no half character', async () => {
    const source = await openGguf(await write(sentencePiece(['a', 'b', '😀', 'ab', 'aab', 'a😀', '😀a'])))
    const files = await source.sideFiles()
    const { model } = JSON.parse(Buffer.from(files.get('tokenizer.json')!).toString())
    expect(model.merges).toEqual([
      ['a', 'b'],
      ['a', 'ab'],
      ['a', '😀'],
      ['😀', 'a'],
    ])
    expect((await source.tokenizer()).encode('aab', { addSpecialTokens: false })).toHaveLength(2)
  })

  it('are refused when one is too long to try all places where it may be cut', async () => {
    const fits = await openGguf(await write(sentencePiece(['a', 'a'.repeat(256)])))
    await expect(fits.tokenizer()).resolves.toMatchObject({ vocabSize: 5 })
    const source = await openGguf(await write(sentencePiece(['a', 'a'.repeat(100_000)])))
    await expectTrimError(() => source.tokenizer(), 'TRIMKV_UNSUPPORTED', /at most 256 characters.*100000/s)
    await expectTrimError(() => source.sideFiles(), 'TRIMKV_UNSUPPORTED', /at most 256 characters/)
  })

  it('are refused when they make too many others', async () => {
    // Every place of every token is between two others.
    const runs = (letter: string): string[] => Array.from({ length: 127 }, (_, i) => letter.repeat(i + 1))
    const tokens = [...runs('a'), ...runs('b'), ...runs('a').flatMap((a) => runs('b').map((b) => a + b))]
    const source = await openGguf(await write(sentencePiece(tokens)))
    await expectTrimError(() => source.tokenizer(), 'TRIMKV_UNSUPPORTED', /pairs of tokens/)
  })
})

it('a merge is divided once, and refused when it cannot be', async () => {
  const spaces = await openGguf(
    await write({ 'tokenizer.ggml.merges': { strings: [`a${' '.repeat(1e6)}`] } }),
  )
  const files = await spaces.sideFiles()
  const { model } = JSON.parse(Buffer.from(files.get('tokenizer.json')!).toString())
  expect(model.merges).toEqual([['a', ' '.repeat(1e6 - 1)]])
  const single = await openGguf(await write({ 'tokenizer.ggml.merges': { strings: ['ab'] } }))
  await expectTrimError(() => single.tokenizer(), 'TRIMKV_FORMAT', /merges.*two tokens/s)
})

describe('lists of numbers', () => {
  it('take no more memory than in the file', async () => {
    await using reader = await openFileReader(
      await write({
        small: { u8s: Uint8Array.of(0, 255) },
        floats: { f32s: [0.5] },
        integers: { i32s: [-1] },
      }),
    )
    const { metadata } = await readGgufHeader(reader)
    expect(metadata.get('small')).toEqual(Uint8Array.of(0, 255))
    expect(metadata.get('floats')).toEqual(Float32Array.of(0.5))
    expect(metadata.get('integers')).toEqual(Int32Array.of(-1))
  })

  it.each(['llama.embedding_length', 'llama.attention.head_count_kv', 'tokenizer.ggml.eos_token_id'])(
    'are refused for %s, without being written out',
    async (name) => {
      const path = await write({ [name]: { u8s: new Uint8Array(1e6).fill(7) } })
      const error = await openGguf(path).catch((thrown: unknown) => thrown as Error)
      expect(error).toMatchObject({ code: 'TRIMKV_MODEL_UNSUPPORTED' })
      expect((error as Error).message).toMatch(/one value\s+got \[7,7,7/)
      expect((error as Error).message.length).toBeLessThan(500)
    },
  )

  it('are refused as a chat template', async () => {
    const source = await openGguf(await write({ 'tokenizer.chat_template': { u8s: new Uint8Array(9) } }))
    await expectTrimError(() => source.chatTemplate(), 'TRIMKV_FORMAT', /chat_template/)
  })
})

it('a header of more than 64 MiB is refused', async () => {
  const bytes = { u8s: new Uint8Array(2 ** 24) }
  const path = await write({ a: bytes, b: bytes, c: bytes, d: bytes })
  await expectTrimError(() => openGguf(path), 'TRIMKV_FORMAT', /header.*at most 67108864 bytes/s)
})
