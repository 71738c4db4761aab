import { mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { loadTokenizer } from '@trimkv/io'
import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import type { Batch } from '../batch.ts'
import type { JsonValue } from '../json-value.ts'
import type { RecordOptions } from './encode-record.ts'
import { batchesPerEpoch, type JsonlOptions, jsonlSource } from './jsonl-source.ts'

const folder = mkdtempSync(join(tmpdir(), 'trimkv-trainer-'))
afterAll(() => rmSync(folder, { recursive: true }))

let written = 0
function file(content: string | Uint8Array): string {
  const path = join(folder, `${written++}.jsonl`)
  writeFileSync(path, content)
  return path
}

/** One token per character: its code, or the number that a text of digits and spaces names. */
const tokenizer: RecordOptions['tokenizer'] = {
  encode: (text) =>
    /^[\d ]+$/.test(text)
      ? text.split(' ').map(Number)
      : Array.from(text, (character) => character.codePointAt(0)!),
  eosTokenId: undefined,
  isSpecial: () => false,
}

/** Documents of 2 to `most` tokens, each made of its own number. */
function numberedLines(count: number, most: number, first = 1): string {
  const random = seededRandom(count)
  const lines = Array.from({ length: count }, (_, i) => {
    const ids = Array<number>(random.int(2, most)).fill(first + i)
    return JSON.stringify({ text: ids.join(' ') })
  })
  return `${lines.join('\n')}\n`
}

const base = { tokenizer, batch: 2, maxLength: 16 }

/** The documents of a batch, each by its first id; the rest of a row is id 0. */
function documentsOf({ ids, positions }: Batch): number[] {
  return [...ids].filter((id, i) => positions[i] === 0 && id !== 0)
}

async function take(options: JsonlOptions, count: number): Promise<Batch[]> {
  const source = await jsonlSource(options)
  const batches: Batch[] = []
  try {
    while (batches.length < count) batches.push(await source.next())
    return batches
  } finally {
    await source.close()
  }
}

const textsOf = async (content: string | Uint8Array, count: number): Promise<string[]> => {
  const options = { ...base, batch: 1, packing: false, files: [file(content)] }
  return (await take(options, count)).map(({ ids, labels }) =>
    String.fromCodePoint(...ids.filter((_, i) => labels[i] !== -100)),
  )
}

describe('jsonlSource', () => {
  it('gives the documents of all files in order, over and over', async () => {
    const files = [file(numberedLines(5, 3)), file(''), file(numberedLines(4, 3, 6))]
    const batches = await take({ ...base, batch: 1, packing: false, files }, 20)
    expect(batches.flatMap(documentsOf)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2])
  })

  it('reads unicode, CRLF, a byte order mark, blank lines and a last line without end', async () => {
    expect(
      await textsOf('{"text":"grün"}\r\n\r\n{"text":"\\u00e9 日本 😀"}\r\n \t\n{"text":"last"}', 4),
    ).toEqual(['grün', 'é 日本 😀', 'last', 'grün'])
    expect(await textsOf('\ufeff{"text":"marked"}\n{"text":"next"}', 3)).toEqual(['marked', 'next', 'marked'])
  })

  it('reads lines that are longer than what is read at once', async () => {
    const long = 'x'.repeat(300_000)
    expect(await textsOf(`{"note":"${long}","text":"one"}\n{"text":"two"}\n`, 3)).toEqual([
      'one',
      'two',
      'one',
    ])
  })

  it('leaves out a text without tokens', async () => {
    expect(await textsOf('{"text":""}\n{"text":"ab"}\n{"text":""}\n', 3)).toEqual(['ab', 'ab', 'ab'])
  })

  it('packs rows of maxLength, and without packing pads to a multiple of 64 of the longest', async () => {
    const files = [file(numberedLines(100, 9))]
    const packed = await take({ ...base, files }, 8)
    expect(packed.map(({ ids }) => ids.length)).toEqual(packed.map(() => 2 * 16))
    const padded = packed.flatMap(({ ids }) => [...ids]).filter((id) => id === 0)
    expect(padded.length).toBeLessThan(0.1 * packed.length * 32)
    const lengths = [2, 70, 150, 3, 65, 2]
    const texts = lengths.map((length, i) =>
      JSON.stringify({
        text: Array(length)
          .fill(i + 1)
          .join(' '),
      }),
    )
    const options = { ...base, maxLength: 140, packing: false, files: [file(texts.join('\n'))] }
    expect((await take(options, 3)).map(({ length }) => length)).toEqual([128, 140, 128])
  })

  it('gives every document once per epoch, in an order of its own', async () => {
    const files = [file(numberedLines(40, 3)), file(numberedLines(60, 3, 41))]
    const options = { ...base, batch: 1, packing: false, files, shuffle: { seed: 1, buffer: 16 } }
    const order = (await take(options, 200)).flatMap(documentsOf)
    const [first, second] = [order.slice(0, 100), order.slice(100)]
    const sorted = Array.from({ length: 100 }, (_, i) => i + 1)
    expect(first).not.toEqual(sorted)
    expect(second).not.toEqual(first)
    for (const epoch of [first, second]) expect(epoch.toSorted((a, b) => a - b)).toEqual(sorted)
    // A buffer of 16 looks no further ahead than that.
    first.forEach((id, i) => {
      expect(id).toBeLessThanOrEqual(i + 16)
    })
    expect((await take(options, 200)).flatMap(documentsOf)).toEqual(order)
    const other = { ...options, shuffle: { seed: 2, buffer: 16 } }
    expect((await take(other, 100)).flatMap(documentsOf)).not.toEqual(first)
  })

  it('goes on with the same batches from any state', async () => {
    const files = [file(numberedLines(33, 15)), file(numberedLines(50, 15, 34))]
    const random = seededRandom(5)
    const variants: Partial<JsonlOptions>[] = [
      {},
      { packing: false },
      { shuffle: { seed: 3, buffer: 10 } },
      { shuffle: { seed: 3, buffer: 500 }, split: { validationShare: 0.3, part: 'train' } },
      { packing: false, shuffle: { seed: 4, buffer: 7 } },
    ]
    for (const variant of variants) {
      const options = { ...base, ...variant, files }
      const uninterrupted = await take(options, 60)
      for (let run = 0; run < 6; run++) {
        const before = random.int(0, 50)
        const source = await jsonlSource(options)
        for (let i = 0; i < before; i++) await source.next()
        const state = JSON.stringify(source.state())
        await source.close()
        const resumed = await jsonlSource(options)
        await resumed.restore(JSON.parse(state) as JsonValue)
        expect(JSON.stringify(resumed.state())).toBe(state)
        for (const batch of uninterrupted.slice(before, before + 10))
          expect(await resumed.next()).toEqual(batch)
        await resumed.close()
      }
    }
  })

  it('goes back to an earlier state', async () => {
    const options = { ...base, files: [file(numberedLines(20, 9))], shuffle: { seed: 1, buffer: 8 } }
    const source = await jsonlSource(options)
    const start = source.state()
    const first = [await source.next(), await source.next()]
    await source.restore(start)
    expect([await source.next(), await source.next()]).toEqual(first)
    await source.close()
  })

  it('refuses a state of something else, and of other files', async () => {
    const files = [file(numberedLines(9, 4))]
    const source = await jsonlSource({ ...base, files })
    await source.next()
    const state = source.state() as Record<string, JsonValue>
    const others: JsonValue[] = [
      null,
      3,
      {},
      { ...state, kind: 'tasks' },
      { ...state, buffer: [[1]] },
      { ...state, draws: -1 },
    ]
    for (const other of others) {
      await expect(source.restore(other)).rejects.toMatchObject({ code: 'TRIMKV_FORMAT' })
    }
    const changed = await jsonlSource({ ...base, files: [file(numberedLines(10, 4))] })
    await expect(changed.restore(state)).rejects.toThrow(/not those of the saved state/)
    await source.close()
    await changed.close()
  })

  it('never gives a document to training and validation both, and gives each to one', async () => {
    const files = [file(numberedLines(300, 3))]
    const part = async (name: 'train' | 'validation', seed: number): Promise<Set<number>> => {
      const split = { validationShare: 0.2, part: name }
      const options = { ...base, batch: 1, packing: false, files, split, shuffle: { seed, buffer: 50 } }
      return new Set((await take(options, 400)).flatMap(documentsOf))
    }
    const [train, validation] = [await part('train', 1), await part('validation', 2)]
    expect([...train, ...validation].sort((a, b) => a - b)).toEqual(
      Array.from({ length: 300 }, (_, i) => i + 1),
    )
    expect(validation.size).toBeGreaterThan(40)
    expect(validation.size).toBeLessThan(80)
    expect(await part('validation', 9)).toEqual(validation)
  })

  it('names file and line of a bad line', async () => {
    const path = file('{"text":"ab"}\r\n\r\n{"text":"cd"}\nno json\n')
    const source = await jsonlSource({ ...base, batch: 1, packing: false, files: [path] })
    await source.next()
    await source.next()
    await expect(source.next()).rejects.toMatchObject({
      code: 'TRIMKV_FORMAT',
      details: { file: path, line: 4 },
    })
    await source.close()
    const bytes = file(
      Buffer.concat([Buffer.from('{"text":"ab"}\n{"text":"'), Buffer.of(0xff), Buffer.from('"}')]),
    )
    await expect(take({ ...base, files: [bytes] }, 1)).rejects.toThrow(`${bytes}:2`)
  })

  it.each<[string, string, Partial<JsonlOptions>, RegExp]>([
    ['empty files', '', {}, /blank/],
    ['blank lines', '\n\r\n', {}, /blank/],
    [
      'prompts longer than maxLength',
      '{"prompt":"abcd","completion":"e"}',
      { maxLength: 4 },
      /1 have no token/,
    ],
    ['short texts', '{"text":"ab"}\n{"text":"c"}', { minCharacters: 3 }, /2 are shorter than 3/],
    [
      'an empty part',
      '{"text":"ab"}',
      { split: { validationShare: 1e-9, part: 'validation' } },
      /part validation/,
    ],
  ])('says why %s give nothing to train on', async (_, content, options, message) => {
    const work = take({ ...base, ...options, files: [file(content)] }, 1)
    await expect(work).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    await expect(work).rejects.toThrow(message)
  })

  it('refuses options out of range and files that are not there', async () => {
    const files = [file(numberedLines(3, 3))]
    const wrong: Partial<JsonlOptions>[] = [
      { files: [] },
      { batch: 0 },
      { maxLength: 1 },
      { minCharacters: -1 },
      { shuffle: { seed: 1, buffer: 0 } },
      { split: { validationShare: 1, part: 'train' } },
    ]
    for (const options of wrong) {
      await expect(jsonlSource({ ...base, files, ...options })).rejects.toMatchObject({
        code: 'TRIMKV_OPTION',
      })
    }
    const absent = jsonlSource({ ...base, files: [...files, join(folder, 'absent')] })
    await expect(absent).rejects.toMatchObject({ code: 'TRIMKV_NOT_FOUND' })
  })

  it('encodes with the tokenizer of a model', async () => {
    const dir = new URL('../../../reference-model/model', import.meta.url).pathname
    const model = await loadTokenizer(dir)
    const files = [file('{"text":"put key barn ."}')]
    const [batch] = await take({ ...base, batch: 1, tokenizer: model, files, packing: false }, 1)
    const ids = [...model.encode('put key barn .'), model.eosTokenId!]
    expect([...batch!.ids.slice(0, ids.length)]).toEqual(ids)
    expect([...batch!.labels.slice(0, ids.length)]).toEqual(ids)
    expect([...batch!.labels.slice(ids.length)]).toEqual(Array(batch!.length - ids.length).fill(-100))
  })
})

it('batchesPerEpoch counts the batches that read every document once', async () => {
  const count = (lines: number, options: Partial<JsonlOptions>) =>
    batchesPerEpoch({ ...base, packing: false, files: [file(numberedLines(lines, 3))], ...options })
  expect(await count(10, { batch: 4 })).toBe(3)
  expect(await count(8, { batch: 4 })).toBe(2)
  expect(await count(8, { batch: 4, shuffle: { seed: 1, buffer: 5 } })).toBe(2)
  expect(await count(3, { batch: 4 })).toBe(1)
})

it('streams 200 000 lines without holding them', { timeout: 120_000 }, async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const lines = 200_000
  const path = join(folder, 'large.jsonl')
  const target = openSync(path, 'w')
  const note = 'n'.repeat(400)
  for (let i = 0; i < lines; i += 1000) {
    const block = Array.from({ length: 1000 }, (_, j) => `{"text":"${i + j + 1} 5","note":"${note}"}\n`)
    writeSync(target, block.join(''))
  }
  const held = (): number => {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return (heapUsed + external) / 2 ** 20
  }
  const source = await jsonlSource({
    ...base,
    batch: 64,
    maxLength: 64,
    files: [path],
    shuffle: { seed: 1, buffer: 1000 },
  })
  const seen = new Uint8Array(lines + 1)
  const sizes: number[] = []
  for (let i = 0; source.epoch === 0; i++) {
    const { ids, positions } = await source.next()
    ids.forEach((id, at) => {
      if (positions[at] === 0) seen[id] = 1
    })
    if (i % 20 === 10) sizes.push(held())
  }
  await source.close()
  expect(seen.slice(1).every((flag) => flag === 1)).toBe(true)
  expect(sizes.length).toBeGreaterThan(4)
  // The file has 85 MiB.
  expect(Math.max(...sizes) - sizes[0]!).toBeLessThan(4)
})
