import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TrimError } from '@trimkv/tensor'
import { afterAll, describe, expect, it } from 'vitest'
import { loadTokenizer } from '../tokenizer.ts'
import { isStoredInPlace, readStored } from '../weight-rows.ts'
import { openGguf } from './gguf.ts'
import { interleavedHeadRow } from './gguf-names.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-gguf-'))
afterAll(() => rmSync(folder, { recursive: true }))

type Value = string | number | boolean | readonly string[] | readonly number[]

const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value: number | bigint): Buffer => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const text = (value: string): Buffer => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])
const f32 = (value: number): Buffer => Buffer.from(Float32Array.of(value).buffer)

function valueBytes(value: Value): Buffer {
  if (typeof value === 'string') return Buffer.concat([u32(8), text(value)])
  if (typeof value === 'boolean') return Buffer.concat([u32(7), Buffer.of(Number(value))])
  if (typeof value === 'number') {
    return Number.isInteger(value) ? Buffer.concat([u32(4), u32(value)]) : Buffer.concat([u32(6), f32(value)])
  }
  const isText = typeof value[0] === 'string'
  const items = value.map((item) => (typeof item === 'string' ? text(item) : f32(item)))
  return Buffer.concat([u32(9), u32(isText ? 8 : 6), u64(value.length), ...items])
}

interface Tensor {
  readonly name: string
  /** Innermost first, as in the file. */
  readonly sizes: readonly (number | bigint)[]
  readonly type?: number
  readonly offset?: number
}

interface Parts {
  readonly magic?: string
  readonly version?: number
  readonly tensorCount?: number | bigint
  readonly valueCount?: number | bigint
  readonly metadata?: Readonly<Record<string, Value>>
  readonly tensors?: readonly Tensor[]
  readonly data?: Buffer
}

const qwen: Readonly<Record<string, Value>> = {
  'general.architecture': 'qwen3',
  'qwen3.context_length': 64,
  'qwen3.embedding_length': 8,
  'qwen3.block_count': 1,
  'qwen3.feed_forward_length': 8,
  'qwen3.attention.head_count': 2,
  'qwen3.attention.head_count_kv': 1,
  'qwen3.attention.key_length': 4,
  'qwen3.attention.layer_norm_rms_epsilon': 1e-6,
}
const embedding: Tensor = { name: 'token_embd.weight', sizes: [8, 3] }

let files = 0
function write(parts: Parts): string {
  const { metadata = qwen, tensors = [embedding], data = Buffer.alloc(96) } = parts
  const head = Buffer.concat([
    Buffer.from(parts.magic ?? 'GGUF'),
    u32(parts.version ?? 3),
    u64(parts.tensorCount ?? tensors.length),
    u64(parts.valueCount ?? Object.keys(metadata).length),
    ...Object.entries(metadata).flatMap(([key, value]) => [text(key), valueBytes(value)]),
    ...tensors.flatMap(({ name, sizes, type = 0, offset = 0 }) => [
      text(name),
      u32(sizes.length),
      ...sizes.map(u64),
      u32(type),
      u64(offset),
    ]),
  ])
  const path = join(folder, `${files++}.gguf`)
  writeFileSync(path, Buffer.concat([head, Buffer.alloc((32 - (head.length % 32)) % 32), data]))
  return path
}

async function refused(parts: Parts): Promise<TrimError> {
  try {
    await openGguf(write(parts))
  } catch (error) {
    if (TrimError.isInstance(error)) return error
    throw error
  }
  throw new Error('expected a TrimError')
}

describe('a GGUF file', () => {
  it('is read as the configuration and the tensors of Hugging Face', async () => {
    const { config, weights } = await openGguf(write({}))
    expect(config).toMatchObject({
      family: 'qwen3',
      vocabSize: 3,
      headDim: 4,
      rmsNormEps: 1e-6,
      tieWordEmbeddings: true,
    })
    expect(weights.tensors.get('model.embed_tokens.weight')).toMatchObject({
      dtype: 'f32',
      shape: [3, 8],
      byteLength: 96,
    })
  })

  it.each<[string, Parts, string]>([
    ['another magic', { magic: 'GGML' }, 'TRIMKV_FORMAT'],
    ['version 1', { version: 1 }, 'TRIMKV_UNSUPPORTED'],
    ['the other byte order', { version: 0x03000000 }, 'TRIMKV_UNSUPPORTED'],
    ['more tensors than fit', { tensorCount: 2n ** 63n }, 'TRIMKV_FORMAT'],
    ['more values than fit', { valueCount: 1e9 }, 'TRIMKV_FORMAT'],
    ['sizes that overflow', { tensors: [{ name: 'a', sizes: [2n ** 40n, 2n ** 40n] }] }, 'TRIMKV_FORMAT'],
    ['a size of zero', { tensors: [{ name: 'a', sizes: [0, 8] }] }, 'TRIMKV_FORMAT'],
    ['five axes', { tensors: [{ name: 'a', sizes: [1, 1, 1, 1, 1] }] }, 'TRIMKV_FORMAT'],
    ['no name', { tensors: [{ name: '', sizes: [8, 3] }] }, 'TRIMKV_FORMAT'],
    [
      'one name twice',
      { tensors: [embedding, { ...embedding, offset: 96 }], data: Buffer.alloc(192) },
      'TRIMKV_FORMAT',
    ],
    [
      'tensors that overlap',
      { tensors: [embedding, { name: 'b', sizes: [8, 3], offset: 32 }] },
      'TRIMKV_FORMAT',
    ],
    ['a gap', { tensors: [{ ...embedding, offset: 32 }], data: Buffer.alloc(128) }, 'TRIMKV_FORMAT'],
    [
      'an offset that is not aligned',
      { tensors: [{ ...embedding, offset: 4 }], data: Buffer.alloc(128) },
      'TRIMKV_FORMAT',
    ],
    ['a tensor beyond the end', { data: Buffer.alloc(64) }, 'TRIMKV_FORMAT'],
    ['bytes that belong to nothing', { data: Buffer.alloc(128) }, 'TRIMKV_FORMAT'],
    ['half a block', { tensors: [{ name: 'a', sizes: [8, 3], type: 8 }] }, 'TRIMKV_FORMAT'],
    ['an alignment that is none', { metadata: { ...qwen, 'general.alignment': 33 } }, 'TRIMKV_FORMAT'],
    [
      'an architecture that is unknown',
      { metadata: { ...qwen, 'general.architecture': 'toString' } },
      'TRIMKV_MODEL_UNSUPPORTED',
    ],
    [
      'a factor that stretches positions, of no kind',
      { metadata: { ...qwen, 'qwen3.rope.scaling.factor': 4 } },
      'TRIMKV_MODEL_UNSUPPORTED',
    ],
    [
      'the same under its older name',
      { metadata: { ...qwen, 'qwen3.rope.scale_linear': 4 } },
      'TRIMKV_MODEL_UNSUPPORTED',
    ],
    ['yarn', { metadata: { ...qwen, 'qwen3.rope.scaling.type': 'yarn' } }, 'TRIMKV_MODEL_UNSUPPORTED'],
    [
      'scaled attention without rope factors',
      { metadata: { ...qwen, 'qwen3.rope.scaling.attn_factor': 1.25 } },
      'TRIMKV_MODEL_UNSUPPORTED',
    ],
    [
      'attention to both sides',
      { metadata: { ...qwen, 'qwen3.attention.causal': false } },
      'TRIMKV_MODEL_UNSUPPORTED',
    ],
    ['experts', { metadata: { ...qwen, 'qwen3.expert_count': 8 } }, 'TRIMKV_MODEL_UNSUPPORTED'],
    ['sizes that are missing', { metadata: { 'general.architecture': 'qwen3' } }, 'TRIMKV_CONFIG_INVALID'],
  ])('with %s is refused', async (_, parts, code) => {
    expect((await refused(parts)).code).toBe(code)
  })

  it('names an element type that is unknown here', async () => {
    const error = await refused({ tensors: [{ name: 'a', sizes: [256], type: 12 }] })
    expect(error.code).toBe('TRIMKV_UNSUPPORTED')
    expect(error.why.join()).toContain('Q4_K')
  })

  it('cut anywhere is refused', async () => {
    const whole = readFileSync(write({}))
    for (let length = 0; length < whole.length; length += 7) {
      const path = join(folder, 'cut.gguf')
      writeFileSync(path, whole.subarray(0, length))
      await expect(openGguf(path)).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
    }
  })
})

/** The metadata of another architecture with the sizes of `qwen`. */
const as = (architecture: string, more: Readonly<Record<string, Value>> = {}): Record<string, Value> => ({
  ...Object.fromEntries(
    Object.entries(qwen).map(([key, value]) => [
      key.replace('qwen3', architecture),
      value === 'qwen3' ? architecture : value,
    ]),
  ),
  ...Object.fromEntries(Object.entries(more).map(([key, value]) => [`${architecture}.${key}`, value])),
})

describe('a llama model', () => {
  it('gets the rows of its queries back in order', async () => {
    // As llama.cpp writes a head: reshape(heads, 2, half), swap, flatten.
    const headDim = 8
    const rows = Array.from({ length: 16 }, (_, row) => row)
    const written = [0, 1].flatMap((head) =>
      [0, 1, 2, 3].flatMap((i) => [0, 1].map((half) => head * headDim + half * 4 + i)),
    )
    expect(rows.map((row) => written[interleavedHeadRow(headDim)(row)])).toEqual(rows)
    const data = Buffer.concat([
      Buffer.alloc(96),
      ...[0, 2, 1, 3, 4, 6, 5, 7].flatMap((row) => Array.from({ length: 8 }, () => f32(row))),
    ])
    const path = write({
      metadata: as('llama'),
      tensors: [embedding, { name: 'blk.0.attn_q.weight', sizes: [8, 8], offset: 96 }],
      data,
    })
    const entry = (await openGguf(path)).weights.tensors.get('model.layers.0.self_attn.q_proj.weight')!
    expect(isStoredInPlace(entry)).toBe(false)
    const values = new Float32Array((await readStored(entry)).buffer)
    expect(Array.from({ length: 8 }, (_, row) => values[8 * row])).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  })
})

const configOf = async (metadata: Record<string, Value>, tensors?: Tensor[], data?: Buffer) =>
  (await openGguf(write({ metadata, ...(tensors && { tensors }), ...(data && { data }) }))).config

describe('answers end', () => {
  const vocabulary = {
    'tokenizer.ggml.tokens': ['<s>', '<|endoftext|>', '<|end|>', 'x', '<|im_end|>', '<|eot_id|>', '<|user|>'],
    'tokenizer.ggml.token_type': [3, 3, 4, 1, 1, 3, 3],
  }
  const endsOf = async (metadata: Record<string, Value>) =>
    (await openGguf(write({ metadata: { ...as('phi3'), ...metadata } }))).endIds

  it('where the file says, and at tokens that are called so and are no plain text', async () => {
    expect(await endsOf({})).toEqual([])
    expect(await endsOf(vocabulary)).toEqual([1, 2, 5])
    expect(await endsOf({ ...vocabulary, 'tokenizer.ggml.eos_token_id': 2 })).toEqual([2, 1, 5])
  })
})

describe('a phi3 model', () => {
  it('has no window where it says 0, and is refused where it has one', async () => {
    const none = await configOf(as('phi3', { 'attention.sliding_window': 0 }))
    expect(none).toEqual({ ...(await configOf(as('phi3'))) })
    await expect(configOf(as('phi3', { 'attention.sliding_window': 16 }))).rejects.toMatchObject({
      code: 'TRIMKV_MODEL_UNSUPPORTED',
    })
  })

  it('turns as many channels as it says', async () => {
    // 60 / 88 · 88 is a little less than 60.
    const sizes = { 'attention.key_length': 88, 'rope.dimension_count': 60 }
    expect((await configOf(as('phi3', sizes))).rope).toMatchObject({ kind: 'plain', rotaryDim: 60 })
  })

  it('has the rope factors of its tensors, and an attention factor of 1 unless it says so', async () => {
    const factors = (name: string, at: number): Tensor => ({
      name: `rope_factors_${name}.weight`,
      sizes: [2],
      offset: 96 + 32 * at,
    })
    const tensors = [embedding, factors('long', 0), factors('short', 1)]
    const values = [3, 5, 1, 1.5].map(f32)
    const padding = Buffer.alloc(24)
    const data = Buffer.concat([
      Buffer.alloc(96),
      ...values.slice(0, 2),
      padding,
      ...values.slice(2),
      padding,
    ])
    const original = { 'rope.scaling.original_context_length': 32 }
    const longrope = { kind: 'longrope', longFactor: [3, 5], shortFactor: [1, 1.5], originalMaxPositions: 32 }
    expect((await configOf(as('phi3', original), tensors, data)).rope).toMatchObject({
      ...longrope,
      attentionFactor: 1,
    })
    // An f32, to the last bit.
    const scaled = { ...original, 'rope.scaling.attn_factor': 1.1902380714238083 }
    const { rope } = await configOf(as('phi3', scaled), tensors, data)
    expect(rope).toMatchObject(longrope)
    expect(Math.fround('attentionFactor' in rope ? rope.attentionFactor : 0)).toBe(
      Math.fround(1.1902380714238083),
    )
  })
})

interface GoldenJson {
  readonly model: { readonly vocab: Record<string, number>; readonly merges: readonly (readonly string[])[] }
  readonly added_tokens: readonly {
    readonly id: number
    readonly content: string
    readonly special: boolean
  }[]
}

const goldenDir = (name: string): string =>
  fileURLToPath(new URL(`../../../../e2e/golden/tokenizers/${name}`, import.meta.url))

/** The tokenizer of a golden folder as llama.cpp would store it. */
function tokenizerMetadata(name: string, [model, pre]: readonly [string, string]): Record<string, Value> {
  const { model: bpe, added_tokens: added }: GoldenJson = JSON.parse(
    readFileSync(join(goldenDir(name), 'tokenizer.json'), 'utf8'),
  )
  const tokens: string[] = []
  for (const [token, id] of Object.entries(bpe.vocab)) tokens[id] = token
  for (const { content, id } of added) tokens[id] = content
  const isAdded = new Map(added.map(({ id, special }) => [id, special]))
  const types = tokens.map((token, id) => {
    const special = isAdded.get(id)
    if (token === '<unk>') return 2
    if (special !== undefined) return special ? 3 : 4
    return /^<0x..>$/.test(token) ? 6 : 1
  })
  const rank = new Map(bpe.merges.map((merge, i) => [merge.join(''), -i]))
  const bos = tokens.findIndex((token) => token === '<s>' || token === '<|begin_of_text|>')
  return {
    'tokenizer.ggml.model': model,
    'tokenizer.ggml.pre': pre,
    'tokenizer.ggml.tokens': tokens,
    'tokenizer.ggml.token_type': types,
    'tokenizer.ggml.merges': bpe.merges.map((merge) => merge.join(' ')),
    'tokenizer.ggml.scores': tokens.map((token) => rank.get(token) ?? -1e6),
    ...(bos < 0 ? {} : { 'tokenizer.ggml.bos_token_id': bos }),
  }
}

const texts = [
  'Hello, world! 1234567 don’t',
  "  two  spaces\n\n\tand 'tabs' I'LL we've",
  'naïve café Ünïcode 漢字 🙂 e\u0301',
  '<s><|begin_of_text|>special</s><|endoftext|> tokens',
  '',
]

describe.each([
  ['qwen2-bpe', ['gpt2', 'qwen2']],
  ['llama3-bpe', ['gpt2', 'llama-bpe']],
  ['sentencepiece-bpe', ['llama', 'default']],
] as const)('the tokenizer %s', (name, kind) => {
  it('gives the ids and texts of tokenizer.json', async () => {
    const ours = await (
      await openGguf(write({ metadata: { ...qwen, ...tokenizerMetadata(name, kind) } }))
    ).tokenizer()
    const theirs = await loadTokenizer(goldenDir(name))
    const golden: readonly { text: string; ids: number[]; decoded: string }[] = JSON.parse(
      readFileSync(join(goldenDir(name), 'golden.json'), 'utf8'),
    )
    expect(golden.length).toBeGreaterThan(20)
    for (const { text: sample, ids, decoded } of golden) {
      expect(ours.encode(sample), JSON.stringify(sample)).toEqual(ids)
      expect(ours.decode(ids)).toBe(decoded)
    }
    for (const sample of texts) expect(ours.encode(sample)).toEqual(theirs.encode(sample))
  })
})

it('refuses a tokenizer that cuts texts in a way unknown here', async () => {
  const metadata = { ...qwen, ...tokenizerMetadata('qwen2-bpe', ['gpt2', 'tekken']) }
  await expect((await openGguf(write({ metadata }))).tokenizer()).rejects.toMatchObject({
    code: 'TRIMKV_UNSUPPORTED',
  })
})
