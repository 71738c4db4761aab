import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { goldenPath } from '../test/golden-path.ts'
import { useTemporaryFolder } from '../test/temporary-folder.ts'
import { dictPickle, floats, pickleOf, tensorPickle, unicode, writeTorchFile } from '../test/torch-writer.ts'
import { expectTrimError, isTrimError } from '../test/trim-error.ts'
import { writeZip } from '../test/zip-writer.ts'
import { readTensorData } from './read-tensor.ts'
import { openTorchFile } from './torch-file.ts'

const folder = useTemporaryFolder()
const vector = tensorPickle({ elements: 2, shape: [2], strides: [1] })
const data = { 'data/0': floats(1, 2) }

let written = 0
const open = (bytes: Uint8Array) => openTorchFile(folder.write(`file-${written++}.pth`, bytes))
const valuesOf = async (bytes: Uint8Array, name = 'a') => [
  ...(await readTensorData((await open(bytes)).tensors.get(name)!)),
]

describe('openTorchFile', () => {
  it('lists a published gates file', async () => {
    const path = goldenPath('trimkv-qwen3-rg/gates/trimkv_weights.pth')
    const { tensors, files } = await openTorchFile(path)
    expect(tensors.size).toBe(12)
    expect(tensors.get('model.layers.0.self_attn.retention_gate.linear1.weight')).toEqual({
      name: 'model.layers.0.self_attn.retention_gate.linear1.weight',
      dtype: 'bf16',
      fileDtype: 'BF16',
      shape: [48, 64],
      file: path,
      byteOffset: 2112,
      byteLength: 6144,
    })
    expect(files).toEqual([{ path, size: readFileSync(path).length }])
  })

  it('reads the values: gates start from a bias near their initial value', async () => {
    const { tensors } = await openTorchFile(goldenPath('recall-small/gates/trimkv_weights.pth'))
    const bias = await readTensorData(tensors.get('model.layers.3.self_attn.retention_gate.bias')!)
    expect(bias).toHaveLength(2)
    for (const value of bias) expect(value).toBeGreaterThan(5)
  })

  it('keeps names that share a storage in one place', async () => {
    const tail = tensorPickle({ elements: 4, offset: 2, shape: [2], strides: [1] })
    const all = tensorPickle({ elements: 4, shape: [2, 2], strides: [2, 1] })
    const pickle = dictPickle({ all, same: all, tail })
    const { tensors } = await open(writeTorchFile(pickle, { 'data/0': floats(1, 2, 3, 4) }))
    expect(tensors.get('same')).toEqual({ ...tensors.get('all'), name: 'same' })
    expect(tensors.get('tail')?.byteOffset).toBe(tensors.get('all')!.byteOffset + 8)
    expect([...(await readTensorData(tensors.get('tail')!))]).toEqual([3, 4])
  })

  it('reads scalars, empty tensors and any stride of an axis of one', async () => {
    const pickle = dictPickle({
      scalar: tensorPickle({ elements: 1, shape: [], strides: [] }),
      empty: tensorPickle({ key: '1', elements: 0, shape: [0, 3], strides: [3, 1] }),
      row: tensorPickle({ elements: 1, shape: [1, 1], strides: [9, 9] }),
    })
    const { tensors } = await open(writeTorchFile(pickle, { 'data/0': floats(5), 'data/1': floats() }))
    expect([...(await readTensorData(tensors.get('scalar')!))]).toEqual([5])
    expect(tensors.get('empty')?.byteLength).toBe(0)
    expect(tensors.get('row')?.shape).toEqual([1, 1])
  })

  it('reads an OrderedDict with attributes, as a state dict is', async () => {
    const pickle = pickleOf(
      0x80,
      2,
      'ccollections\nOrderedDict\n)R(',
      unicode('a'),
      vector,
      'u}(',
      unicode('_metadata'),
      'ccollections\nOrderedDict\n)Rub.',
    )
    expect(await valuesOf(writeTorchFile(pickle, data))).toEqual([1, 2])
  })

  it('reads protocol 4: frames, short strings, global names on the stack', async () => {
    const short = (text: string) => pickleOf(0x8c, text.length, text)
    const global = (module: string, name: string) => pickleOf(short(module), short(name), 0x93, 0x94)
    const frame = pickleOf(
      '}',
      0x94,
      short('a'),
      global('torch._utils', '_rebuild_tensor_v2'),
      '((',
      short('storage'),
      global('torch', 'FloatStorage'),
      short('0'),
      short('cpu'),
      'K',
      2,
      'tQ',
      'K',
      0,
      'K',
      2,
      0x85,
      'K',
      1,
      0x85,
      0x89,
      global('collections', 'OrderedDict'),
      ')RtRs.',
    )
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(frame.length))
    expect(await valuesOf(writeTorchFile(pickleOf(0x80, 4, 0x95, length, frame), data))).toEqual([1, 2])
  })

  it('reads zip64 archives and archives with a comment', async () => {
    const pickle = dictPickle({ a: vector })
    expect(await valuesOf(writeTorchFile(pickle, data, { zip64: true }))).toEqual([1, 2])
    expect(await valuesOf(writeTorchFile(pickle, data, { lies: { comment: 'PK\x05\x06 hello' } }))).toEqual([
      1, 2,
    ])
  })

  it('takes __proto__ as a name', async () => {
    const { tensors } = await open(writeTorchFile(dictPickle({ ['__proto__']: vector }), data))
    expect([...tensors.keys()]).toEqual(['__proto__'])
    expect(Object.hasOwn(Object.prototype, 'shape')).toBe(false)
  })
})

describe('a pickle that names other globals', () => {
  const short = (text: string) => pickleOf(0x8c, text.length, text)
  it.each([
    ['os.system', pickleOf(0x80, 2, 'cos\nsystem\n', unicode('true'), 0x85, 'R.')],
    ['builtins.eval', pickleOf(0x80, 4, short('builtins'), short('eval'), 0x93, short('1'), 0x85, 'R.')],
    ['torch._utils._rebuild_parameter', pickleOf(0x80, 2, 'ctorch._utils\n_rebuild_parameter\n.')],
    ['torch.storage._load_from_bytes', pickleOf(0x80, 2, 'ctorch.storage\n_load_from_bytes\n.')],
    ['collections.OrderedDict.fromkeys', pickleOf(0x80, 2, 'ccollections\nOrderedDict.fromkeys\n.')],
    ['torch.toString', pickleOf(0x80, 2, 'ctorch\ntoString\n.')],
  ])('is refused: %s', async (name, pickle) => {
    const error = await expectTrimError(
      () => open(writeTorchFile(pickle)),
      'TRIMKV_PICKLE_GLOBAL',
      /data\.pkl/,
    )
    expect(error.details.global).toBe(name)
    expect(error.message).toContain(`at byte ${String(error.details.offset)}`)
  })

  it('names the byte offset', async () => {
    const error = await expectTrimError(
      () => open(writeTorchFile(pickleOf(0x80, 2, 'NNcos\nsystem\n.'))),
      'TRIMKV_PICKLE_GLOBAL',
      /os\.system at byte 4/,
    )
    expect(error.details.offset).toBe(4)
  })
})

describe('a malformed pickle', () => {
  const rebuilt = 'ctorch._utils\n_rebuild_tensor_v2\n'
  it.each<[what: string, pickle: Uint8Array, message: RegExp]>([
    ['empty', pickleOf(), /more bytes/],
    ['cut off', dictPickle({ a: vector }).subarray(0, 60), /byte \d+/],
    ['without an end', pickleOf(0x80, 2, '}'), /1 more bytes/],
    ['of a future protocol', pickleOf(0x80, 99, 'N.'), /protocol/],
    ['with INST', pickleOf('(ios\nsystem\n.'), /opcode.*0x69/s],
    ['with NEWOBJ', pickleOf(')', 0x81, '.'), /opcode.*0x81/s],
    ['with a protocol-0 string', pickleOf("S'a'\n."), /opcode.*0x53/s],
    ['with a value left over', pickleOf('NN.'), /one value at the end/],
    ['with a mark left over', pickleOf('N(.'), /one value at the end/],
    ['that pops an empty stack', pickleOf(0x85, '.'), /1 values on the stack/],
    ['that pops below a mark', pickleOf('N(', 0x85, '.'), /1 values on the stack/],
    ['that closes no mark', pickleOf('t.'), /open mark/],
    ['that recalls what was not stored', pickleOf('h', 7, '.'), /memo entry/],
    ['that memoises nothing', pickleOf('q', 0, '.'), /a value on the stack/],
    ['with a string past its end', pickleOf('X\xff\xff\xff\x7f', '.'), /more bytes/],
    ['with a string that is not UTF-8', pickleOf(0x8c, 1, 0xff, '.'), /UTF-8/],
    ['with an integer of 200 bytes', pickleOf(0x8a, 200, new Uint8Array(200), '.'), /at most 8 bytes/],
    ['with an integer over 2^53', pickleOf(0x8a, 8, Buffer.alloc(8, 0x7f), '.'), /below 2\^53/],
    [
      'with a frame past its end',
      pickleOf(0x80, 4, 0x95, Buffer.alloc(8, 0x01), '.'),
      /below 2\^53|frame inside/,
    ],
    ['with a global that never ends', pickleOf('c', 'x'.repeat(5000)), /line feed/],
    ['with marks nested 2000 deep', pickleOf('('.repeat(2000)), /nested containers/],
    ['with 200 000 values on the stack', pickleOf('N'.repeat(200_000)), /values on the stack/],
    ['with a list as a key', pickleOf('}]Ns.'), /as key/],
    ['with a key twice', pickleOf('}(', unicode('a'), 'N', unicode('a'), 'Nu.'), /every key once/],
    ['that sets an item of a list', pickleOf(']NNs.'), /a dictionary/],
    ['that appends to a dictionary', pickleOf('}Na.'), /a list to append/],
    ['that calls a value', pickleOf('N)R.'), /a global and its arguments/],
    ['that calls a storage type', pickleOf('ctorch\nFloatStorage\n)R.'), /a tensor or an empty OrderedDict/],
    [
      'that fills an OrderedDict by a call',
      pickleOf('ccollections\nOrderedDict\n', 'N', 0x85, 'R.'),
      /OrderedDict/,
    ],
    ['that sets state of a tensor', pickleOf(vector, 'Nb.'), /state of a dictionary/],
    ['with another persistent id', pickleOf(unicode('x'), 'Q.'), /id of a storage/],
    ['with a tensor of no arguments', pickleOf(rebuilt, ')R.'), /storage, offset, shape/],
    ['that holds no dictionary', pickleOf('N.'), /a dictionary of tensors/],
    [
      'that holds a dictionary around the state dict',
      dictPickle({ model: pickleOf('}') }),
      /entry "model".*state dict itself/s,
    ],
    [
      'that holds a bare storage',
      dictPickle({
        a: pickleOf(
          '(',
          unicode('storage'),
          'ctorch\nFloatStorage\n',
          unicode('0'),
          unicode('cpu'),
          'K',
          2,
          'tQ',
        ),
      }),
      /a name and a tensor/,
    ],
  ])('is refused: one %s', async (_, pickle, message) => {
    await expectTrimError(() => open(writeTorchFile(pickle, data)), 'TRIMKV_FORMAT', message)
  })

  it.each<[what: string, tensor: Parameters<typeof tensorPickle>[0], message: RegExp]>([
    ['past its storage', { elements: 2, offset: 1, shape: [2], strides: [1] }, /inside 2 elements/],
    [
      'of a size that overflows',
      { elements: 2, shape: [2 ** 30, 2 ** 30], strides: [2 ** 30, 1] },
      /inside 2 elements/,
    ],
    ['at a negative offset', { elements: 2, offset: -1, shape: [1], strides: [1] }, /storage, offset/],
    ['with a negative size', { elements: 2, shape: [-1], strides: [1] }, /storage, offset/],
    ['with more strides than axes', { elements: 2, shape: [2], strides: [1, 1] }, /storage, offset/],
    ['that is transposed', { elements: 4, shape: [2, 2], strides: [1, 2] }, /contiguous/],
    ['that is expanded', { elements: 2, shape: [2], strides: [0] }, /contiguous/],
    [
      'whose record is missing',
      { key: '9', elements: 2, shape: [2], strides: [1] },
      /record data\/9 of 8 bytes.*none/s,
    ],
    ['whose record has another size', { elements: 3, shape: [3], strides: [1] }, /12 bytes.*got 8/s],
    ['whose key leaves the archive', { key: '../0', elements: 2, shape: [2], strides: [1] }, /none/],
    [
      'of an unknown storage',
      { type: 'QInt8Storage', elements: 2, shape: [2], strides: [1] },
      /QInt8Storage/,
    ],
  ])('is refused: a tensor %s', async (what, tensor, message) => {
    const code = what.includes('unknown') ? 'TRIMKV_PICKLE_GLOBAL' : 'TRIMKV_FORMAT'
    await expectTrimError(
      () => open(writeTorchFile(dictPickle({ a: tensorPickle(tensor) }), data)),
      code,
      message,
    )
  })
})

describe('a malformed archive', () => {
  const pickle = dictPickle({ a: vector })
  const good = writeTorchFile(pickle, data)
  const record = { name: 'archive/data/0', data: floats(1, 2) }
  const pickled = { name: 'archive/data.pkl', data: pickle }

  it.each<[what: string, bytes: Uint8Array, message: RegExp]>([
    ['an empty file', Buffer.alloc(0), /directory of a zip/],
    [
      'a file of the old torch format',
      Buffer.from('\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.', 'latin1'),
      /older than 1\.6/,
    ],
    ['a file cut in the middle', good.subarray(0, good.length / 2), /directory of a zip/],
    ['a file cut in its last byte', good.subarray(0, -1), /directory of a zip/],
    ['a compressed pickle', writeZip([{ ...pickled, lie: { method: 8 } }, record]), /data\.pkl.*deflate/s],
    [
      'a record of an unknown compression',
      writeZip([pickled, { ...record, lie: { method: 77 } }]),
      /data\/0.*method 77/s,
    ],
    ['an encrypted entry', writeZip([{ ...pickled, lie: { flags: 1 } }]), /encrypted/],
    ['a name twice', writeZip([pickled, record, record]), /every name once/],
    ['a pickle that fails its checksum', writeZip([{ ...pickled, lie: { crc32: 1 } }, record]), /CRC-32/],
    [
      'an entry longer than the file',
      writeZip([pickled, { ...record, lie: { size: 1e6 } }]),
      /data\/0.*end by/s,
    ],
    [
      'an entry at the end of the file',
      writeZip([pickled, { ...record, lie: { headerOffset: 0xfffffff } }]),
      /end by/,
    ],
    [
      'an entry whose header is elsewhere',
      writeZip([pickled, { ...record, lie: { headerOffset: 5 } }]),
      /header of a stored entry/,
    ],
    [
      'an entry of another name',
      writeZip([pickled, { ...record, lie: { localName: 'archive/data/1' } }]),
      /same name/,
    ],
    ['too high a count', writeTorchFile(pickle, data, { lies: { count: 60_000 } }), /zip directory/],
    ['too low a count', writeTorchFile(pickle, data, { lies: { count: 1 } }), /directory size/],
    [
      'a directory past the file',
      writeTorchFile(pickle, data, { lies: { directoryOffset: 1e9 } }),
      /ends by/,
    ],
    [
      'a directory in the wrong place',
      writeTorchFile(pickle, data, { lies: { directoryOffset: 4 } }),
      /directory record/,
    ],
    ['several volumes', writeTorchFile(pickle, data, { lies: { disk: 1 } }), /one volume/],
    [
      'a zip64 offset past 2^53',
      writeTorchFile(pickle, data, { zip64: true, lies: { directoryOffset: 2 ** 60 } }),
      /below 2\^53/,
    ],
    [
      'a zip64 directory past the file',
      writeTorchFile(pickle, data, { zip64: true, lies: { directoryOffset: 1e12 } }),
      /ends by/,
    ],
    ['a zip64 archive without its record', zip64WithoutRecord(good), /zip64 locator/],
    ['no pickle', writeZip([record]), /one entry <name>\/data\.pkl/],
    ['two pickles', writeZip([pickled, { ...pickled, name: 'b/data.pkl' }]), /got 2/],
    [
      'big-endian numbers',
      writeTorchFile(pickle, { ...data, byteorder: Buffer.from('big') }),
      /byteorder.*little/s,
    ],
  ])('is refused: %s', async (_, bytes, message) => {
    await expectTrimError(() => open(bytes), 'TRIMKV_FORMAT', message)
  })

  function zip64WithoutRecord(bytes: Buffer): Buffer {
    const changed = Buffer.from(bytes)
    changed.writeUInt32LE(0xffffffff, changed.length - 22 + 16)
    return changed
  }

  const outcomeOf = (bytes: Uint8Array): Promise<unknown> =>
    open(bytes).then(
      () => 'listed',
      (error: unknown) => (isTrimError(error) ? 'refused' : error),
    )

  it('is listed or refused, and nothing else, when a file is cut or changed at any byte', async () => {
    for (let at = 0; at < good.length; at++) {
      const changed = Buffer.from(good)
      changed[at] = changed[at]! ^ 0xff
      expect(['listed', 'refused'], `byte ${at} changed`).toContain(await outcomeOf(changed))
      expect(await outcomeOf(good.subarray(0, at)), `cut to ${at} bytes`).toBe('refused')
    }
  })

  it('is listed or refused, and nothing else, when any byte of the pickle is any opcode', async () => {
    const opcodes = [0x28, 0x2e, 0x51, 0x52, 0x58, 0x63, 0x74, 0x93]
    for (let at = 0; at < pickle.length; at++) {
      for (const opcode of opcodes) {
        const changed = Buffer.from(pickle)
        changed[at] = opcode
        const outcome = await outcomeOf(writeTorchFile(changed, data))
        expect(['listed', 'refused'], `0x${opcode.toString(16)} at ${at}`).toContain(outcome)
      }
    }
  })
})
