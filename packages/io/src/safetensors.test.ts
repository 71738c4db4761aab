import { mkdirSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { expectTrimError, isTrimError } from '../test/trim-error.ts'
import { readTensorData, readTensorIntegers } from './read-tensor.ts'
import { openCheckpoint, openSafetensors } from './safetensors.ts'

const folder = useTemporaryFolder()

/** A safetensors file from the text of its header, whatever that says. */
function fileOf(header: string | Uint8Array | object, dataBytes = 0, headerLength?: number): Buffer {
  const isRaw = typeof header === 'string' || header instanceof Uint8Array
  const text = Buffer.from(isRaw ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(headerLength ?? text.length))
  return Buffer.concat([length, text, Buffer.alloc(dataBytes)])
}

const tensor = (begin: number, end: number, { shape = [(end - begin) / 4], dtype = 'F32' } = {}) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
})

describe('openSafetensors', () => {
  it('lists names, types, shapes and places of a recorded file', async () => {
    const path = goldenPath('qwen3/golden.safetensors')
    const { tensors, metadata, files } = await openSafetensors(path)
    expect([...tensors.keys()].sort()).toEqual(['greedy_ids', 'input_ids', 'logits'])
    expect(tensors.get('logits')).toMatchObject({
      dtype: 'f32',
      fileDtype: 'F32',
      shape: [80, 300],
      file: path,
      byteLength: 96_000,
    })
    expect(tensors.get('input_ids')).toMatchObject({ dtype: 'i32', shape: [1, 80] })
    expect(metadata).toEqual({})
    expect(files).toEqual([{ path, size: 96_800 }])
  })

  it('reads scalars, empty tensors and types we do not compute in', async () => {
    const header = {
      scalar: { dtype: 'F64', shape: [], data_offsets: [0, 8] },
      empty: { dtype: 'I64', shape: [0, 7], data_offsets: [8, 8] },
      packed: { dtype: 'F4', shape: [3, 2], data_offsets: [8, 11] },
      __metadata__: { format: 'pt' },
    }
    const { tensors, metadata } = await openSafetensors(folder.write('types', fileOf(header, 11)))
    expect(tensors.get('scalar')).toMatchObject({ dtype: undefined, fileDtype: 'F64', byteLength: 8 })
    expect(tensors.get('empty')?.byteLength).toBe(0)
    expect(tensors.get('packed')?.byteLength).toBe(3)
    expect(tensors.size).toBe(3)
    expect(metadata).toEqual({ format: 'pt' })
  })

  it('takes a tensor named like a prototype as a tensor', async () => {
    const text = `{"__proto__":${JSON.stringify(tensor(0, 4))},"constructor":${JSON.stringify(tensor(4, 8))}}`
    const { tensors } = await openSafetensors(folder.write('names', fileOf(text, 8)))
    expect([...tensors.keys()]).toEqual(['__proto__', 'constructor'])
  })

  const corruptions: [what: string, bytes: Buffer, message: RegExp][] = [
    ['an empty file', Buffer.alloc(0), /size.*at least 8 bytes/s],
    ['a file of 7 bytes', Buffer.alloc(7), /size.*at least 8 bytes/s],
    ['a Git LFS pointer', Buffer.from('version https://git-lfs.github.com/spec/v1'), /header length.*LFS/s],
    ['a header of 2^63 bytes', fileOf('{}', 0, 2 ** 63), /header length/],
    ['a header over 100 MB', fileOf('{}', 0, 100_000_001), /at most 100000000/],
    ['a header longer than the file', fileOf('{}', 3, 6), /header length.*truncated/s],
    ['a header that is not UTF-8', fileOf(Buffer.of(0x7b, 0xff, 0x7d)), /UTF-8/],
    ['a header that is not JSON', fileOf('{"a":'), /JSON/],
    ['a header with NaN', fileOf('{"a": NaN}'), /NaN and Infinity/],
    ['a header that is an array', fileOf('[]'), /JSON object/],
    ['a header that begins with white space', fileOf(' {}'), /JSON object/],
    [
      'a name twice',
      fileOf(`{"a":${JSON.stringify(tensor(0, 0))},"\\u0061":${JSON.stringify(tensor(0, 0))}}`),
      /a twice/,
    ],
    [
      'a field twice',
      fileOf('{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4),
      /dtype twice/,
    ],
    ['a tensor that is a number', fileOf({ a: 1 }), /tensor "a"/],
    ['an unknown field', fileOf({ a: { ...tensor(0, 4), stride: [1] } }, 4), /only.*stride/s],
    ['a missing shape', fileOf({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /tensor "a".shape/],
    ['an unknown dtype', fileOf({ a: tensor(0, 4, { shape: [1], dtype: 'F128' }) }, 4), /dtype.*F128/s],
    [
      'a dtype named like a prototype',
      fileOf({ a: tensor(0, 4, { shape: [1], dtype: 'toString' }) }, 4),
      /dtype/,
    ],
    ['a negative size', fileOf({ a: tensor(0, 4, { shape: [-1] }) }, 4), /integers ≥ 0/],
    ['a fractional size', fileOf({ a: tensor(0, 4, { shape: [0.5] }) }, 4), /integers ≥ 0/],
    [
      'a shape whose product overflows',
      fileOf({ a: tensor(0, 4, { shape: [2 ** 30, 2 ** 30] }) }, 4),
      /countable/,
    ],
    ['half a byte', fileOf({ a: tensor(0, 1, { shape: [1], dtype: 'F4' }) }, 1), /countable/],
    ['offsets in the wrong order', fileOf({ a: tensor(4, 0, { shape: [1] }) }, 4), /begin ≤ end/],
    ['three offsets', fileOf({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4, 4] } }, 4), /begin, end/],
    ['offsets past the file', fileOf({ a: tensor(0, 8) }, 4), /≤ 4/],
    ['fewer bytes than the shape', fileOf({ a: tensor(0, 4, { shape: [2] }) }, 4), /8 bytes for F32 \[2\]/],
    ['a gap before the first tensor', fileOf({ a: tensor(4, 8) }, 8), /begin at 0/],
    ['a gap between tensors', fileOf({ a: tensor(0, 4), b: tensor(8, 12) }, 12), /"b".*begin at 4/s],
    ['tensors that overlap', fileOf({ a: tensor(0, 8), b: tensor(4, 12) }, 12), /"b".*begin at 8/s],
    ['two tensors in one place', fileOf({ a: tensor(0, 4), b: tensor(0, 4) }, 4), /begin at 4/],
    ['bytes after the last tensor', fileOf({ a: tensor(0, 4) }, 5), /size/],
    ['metadata that is no text', fileOf({ __metadata__: { steps: 3 } }), /__metadata__/],
    ['metadata that is a string', fileOf({ __metadata__: 'pt' }), /__metadata__/],
  ]
  it.each(corruptions)('refuses %s', async (what, bytes, message) => {
    const path = folder.write(`corrupt-${what.replaceAll(/\W/g, '-')}`, bytes)
    const error = await expectTrimError(() => openSafetensors(path), 'TRIMKV_FORMAT', message)
    expect(error.details.file).toBe(path)
  })

  it('is listed or refused, and nothing else, when a file is cut or changed at any byte', async () => {
    const good = fileOf({ a: tensor(0, 8), b: tensor(8, 12), __metadata__: { format: 'pt' } }, 12)
    const outcomeOf = (bytes: Uint8Array): Promise<unknown> =>
      openSafetensors(folder.write('changed', bytes)).then(
        () => 'listed',
        (error: unknown) => (isTrimError(error) ? 'refused' : error),
      )
    expect(await outcomeOf(good)).toBe('listed')
    for (let at = 0; at < good.length; at++) {
      const changed = Buffer.from(good)
      changed[at] = changed[at]! ^ 0x11
      expect(['listed', 'refused'], `byte ${at} changed`).toContain(await outcomeOf(changed))
      expect(await outcomeOf(good.subarray(0, at)), `cut to ${at} bytes`).toBe('refused')
    }
  })

  it('names a missing file and refuses a folder', async () => {
    await expectTrimError(() => openSafetensors(folder.path('none')), 'TRIMKV_NOT_FOUND', /does not exist/)
    mkdirSync(folder.path('directory'))
    await expectTrimError(
      () => openSafetensors(folder.path('directory')),
      'TRIMKV_NOT_FOUND',
      /not a regular/,
    )
  })

  it('never reads the data: a file of 64 GiB of holes is listed at once', async () => {
    const bytes = 2 ** 36
    const start = fileOf({ a: tensor(0, bytes) })
    const path = folder.write('huge', start)
    truncateSync(path, start.length + bytes)
    expect((await openSafetensors(path)).tensors.get('a')?.byteLength).toBe(bytes)
  })
})

describe('openCheckpoint', () => {
  it('reads a single file', async () => {
    const { tensors, metadata } = await openCheckpoint(goldenPath('recall-small'))
    expect(tensors.size).toBe(46)
    expect(metadata).toEqual({ format: 'pt' })
  })

  it('reads shards through their index', async () => {
    const dir = goldenPath('phi3/hf')
    const { tensors, files } = await openCheckpoint(dir)
    expect(tensors.size).toBe(21)
    expect(files).toHaveLength(5)
    expect(tensors.get('lm_head.weight')).toMatchObject({
      dtype: 'bf16',
      shape: [300, 64],
      file: join(dir, 'model-00005-of-00005.safetensors'),
    })
  })

  const one = fileOf({ a: tensor(0, 4) }, 4)
  const other = fileOf({ b: tensor(0, 4) }, 4)
  const index = (map: unknown) => ({ metadata: { total_size: 8 }, weight_map: map })
  const indexed = (map: unknown, files: Record<string, Buffer>) =>
    folder.folder({ 'model.safetensors.index.json': index(map), ...files })

  it('refuses a folder without weights', async () => {
    const dir = folder.folder({ 'pytorch_model.bin': '' })
    await expectTrimError(
      () => openCheckpoint(dir),
      'TRIMKV_NOT_FOUND',
      /holds no weights.*model\.safetensors/s,
    )
  })

  it('refuses an index without a map', async () => {
    await expectTrimError(() => openCheckpoint(indexed([], {})), 'TRIMKV_FORMAT', /weight_map/)
  })

  it.each(['../x.safetensors', '/x.safetensors', 'a/x.safetensors', 'a\\x.safetensors', 'x.bin', 7])(
    'refuses the shard name %s',
    async (name) => {
      await expectTrimError(
        () => openCheckpoint(indexed({ a: name }, {})),
        'TRIMKV_FORMAT',
        /weight_map\["a"\]/,
      )
    },
  )

  it('refuses a missing shard', async () => {
    const dir = indexed({ a: '1.safetensors' }, {})
    await expectTrimError(() => openCheckpoint(dir), 'TRIMKV_NOT_FOUND', /1\.safetensors does not exist/)
  })

  it('refuses a name that its shard does not hold', async () => {
    const dir = indexed({ a: '1.safetensors', c: '1.safetensors' }, { '1.safetensors': one })
    await expectTrimError(() => openCheckpoint(dir), 'TRIMKV_FORMAT', /c.*a tensor in 1\.safetensors/s)
  })

  it('refuses a tensor that the index does not name', async () => {
    const dir = indexed(
      { a: '1.safetensors', b: '2.safetensors' },
      { '1.safetensors': one, '2.safetensors': fileOf({ b: tensor(0, 4), c: tensor(4, 8) }, 8) },
    )
    await expectTrimError(() => openCheckpoint(dir), 'TRIMKV_FORMAT', /tensor "c".*only tensors/s)
  })

  it('refuses a tensor in two shards, and one in another shard than the index says', async () => {
    const twice = indexed(
      { a: '1.safetensors', b: '2.safetensors' },
      { '1.safetensors': one, '2.safetensors': fileOf({ a: tensor(0, 4), b: tensor(4, 8) }, 8) },
    )
    await expectTrimError(() => openCheckpoint(twice), 'TRIMKV_FORMAT', /tensor "a".*it in 1\.safetensors/s)
    const swapped = indexed(
      { a: '2.safetensors', b: '1.safetensors' },
      { '1.safetensors': one, '2.safetensors': other },
    )
    await expectTrimError(() => openCheckpoint(swapped), 'TRIMKV_FORMAT', /it in 1\.safetensors.*got "2/s)
  })
})

describe('reading a tensor', () => {
  const entryOf = async (path: string, name: string) => {
    const entry = (await openSafetensors(path)).tensors.get(name)
    if (!entry) throw new Error(`no tensor ${name}`)
    return entry
  }

  it('reads f32 and i32 as they are', async () => {
    const path = goldenPath('policies-prefill/qwen3.safetensors')
    const ids = await readTensorIntegers(await entryOf(path, 'input_ids'))
    expect(new Set(ids).size).toBe(96)
    const logits = await readTensorData(await entryOf(path, 'streaming.logits'))
    expect(logits.length % 9).toBe(0)
    expect(logits.every(Number.isFinite)).toBe(true)
  })

  it('widens bf16 and f16 exactly', async () => {
    const bits = Buffer.from(Uint16Array.of(0x3f80, 0xc2f7, 0x0001, 0x7f80, 0x8000).buffer)
    const header = { h: { dtype: 'BF16', shape: [5], data_offsets: [0, 10] } }
    const path = folder.write('bf16', Buffer.concat([fileOf(header), bits]))
    expect([...(await readTensorData(await entryOf(path, 'h')))]).toEqual([
      1,
      -123.5,
      2 ** -133,
      Infinity,
      -0,
    ])

    const half = Buffer.from(Uint16Array.of(0x3c00, 0xd7b8, 0x0001, 0x03ff, 0x7bff, 0xfc00, 0x8000).buffer)
    const header16 = { h: { dtype: 'F16', shape: [7], data_offsets: [0, 14] } }
    const path16 = folder.write('f16', Buffer.concat([fileOf(header16), half]))
    expect([...(await readTensorData(await entryOf(path16, 'h')))]).toEqual([
      1,
      -123.5,
      2 ** -24,
      1023 * 2 ** -24,
      65_504,
      -Infinity,
      -0,
    ])
  })

  it('narrows i64 and refuses what does not fit', async () => {
    const write = (values: bigint[]) => {
      const header = { n: { dtype: 'I64', shape: [values.length], data_offsets: [0, 8 * values.length] } }
      return folder.write(
        `i64-${values.join()}`,
        Buffer.concat([fileOf(header), Buffer.from(BigInt64Array.from(values).buffer)]),
      )
    }
    expect([...(await readTensorIntegers(await entryOf(write([-100n, 7n]), 'n')))]).toEqual([-100, 7])
    const tooLarge = await entryOf(write([2n ** 31n]), 'n')
    await expectTrimError(() => readTensorIntegers(tooLarge), 'TRIMKV_DTYPE', /2147483648/)
  })

  it('refuses the other kind of number', async () => {
    const path = goldenPath('qwen3/golden.safetensors')
    const [ids, logits] = [await entryOf(path, 'input_ids'), await entryOf(path, 'logits')]
    await expectTrimError(() => readTensorData(ids), 'TRIMKV_DTYPE', /expected F32, BF16 or F16\s+got I32/)
    await expectTrimError(() => readTensorIntegers(logits), 'TRIMKV_DTYPE', /expected I32 or I64/)
  })

  it('notices a file that became shorter after it was listed', async () => {
    const path = folder.write('shrinking', fileOf({ a: tensor(0, 8) }, 8))
    const entry = await entryOf(path, 'a')
    folder.write('shrinking', fileOf({ a: tensor(0, 8) }, 4))
    await expectTrimError(() => readTensorData(entry), 'TRIMKV_FORMAT', /truncated/)
  })
})
