import { join } from 'node:path'
import { type FuzzTarget, fuzzTarget, mutateBytes, pick, type SeededRandom } from '@trimkv/testing'
import { openTorchFile } from '../../src/torch-file.ts'
import { dictPickle, floats, pickleOf, tensorPickle, unicode, writeTorchFile } from '../torch-writer.ts'
import { goldenBytes } from './golden-text.ts'
import { splitPickle } from './pickle-parts.ts'
import { readListing } from './read-listing.ts'

const records = { 'data/0': floats(1, 2, 3, 4), 'data/1': floats(5, 6) }

const short = (text: string): Buffer => pickleOf(0x8c, text.length, text)
const global = (module: string, name: string): Buffer => pickleOf(short(module), short(name), 0x93, 0x94)

/** Protocol 4: a frame, short strings, globals from the stack, memo by counting. */
function framedPickle(): Buffer {
  const storage = pickleOf('(', short('storage'), global('torch', 'FloatStorage'), short('0'), short('cpu'))
  const rebuild = pickleOf(global('torch._utils', '_rebuild_tensor_v2'), '(', storage, 'K', 4, 'tQK', 0)
  const sizes = pickleOf('K', 2, 'K', 2, 0x86, 'K', 2, 'K', 1, 0x86, 0x89)
  const frame = pickleOf('}', 0x94, short('a'), rebuild, sizes, 'ccollections\nOrderedDict\n)RtRs.')
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(frame.length))
  return pickleOf(0x80, 4, 0x95, length, frame)
}

/** The pickle inside a published file: its first entry, stored as it is. */
function publishedPickle(): Buffer {
  const file = goldenBytes('trimkv-qwen3-rg/gates/trimkv_weights.pth')
  const at = file.indexOf(Buffer.from('\x80\x02', 'latin1'))
  return file.subarray(at, file.indexOf(Buffer.from('u.', 'latin1'), at) + 2)
}

const seeds = [
  dictPickle({
    a: tensorPickle({ elements: 4, shape: [2, 2], strides: [2, 1] }),
    b: tensorPickle({ elements: 4, offset: 2, shape: [2], strides: [1] }),
    c: tensorPickle({ key: '1', elements: 2, shape: [], strides: [] }),
  }),
  pickleOf(
    0x80,
    2,
    'ccollections\nOrderedDict\n)Rq\x00(',
    unicode('a'),
    tensorPickle({ elements: 4, shape: [4], strides: [1] }),
    'u}(',
    unicode('_metadata'),
    'ccollections\nOrderedDict\n)Rub.',
  ),
  framedPickle(),
  publishedPickle(),
].map(splitPickle)

/** Any opcode the reader knows, and some that it does not, with arguments at limits. */
const operations = [
  ...Array.from('(NtQR)]ae}su012bc\x85\x86\x87\x88\x89\x93\x94', (text) => pickleOf(text)),
  pickleOf('K', 255),
  pickleOf('M', 255, 255),
  pickleOf('J', 255, 255, 255, 255),
  pickleOf('J', 255, 255, 255, 127),
  pickleOf(0x8a, 8, '\xff\xff\xff\xff\xff\xff\xff\x7f'),
  pickleOf(0x8a, 255, 'x'),
  pickleOf(0x8a, 0),
  pickleOf('G\x7f\xf0\0\0\0\0\0\0'),
  pickleOf('G\x40\0\0\0\0\0\0\0'),
  pickleOf('h', 0),
  pickleOf('q', 0),
  pickleOf('r\xff\xff\xff\xff'),
  pickleOf('j\0\0\0\0'),
  pickleOf('X\xff\xff\xff\xff'),
  pickleOf(0x8d, '\xff\xff\xff\xff\xff\xff\xff\xff'),
  pickleOf(0x95, '\x01\0\0\0\0\0\0\0'),
  pickleOf('cos\nsystem\n'),
  pickleOf('cposix\nsystem\nX\x02\0\0\0id\x85R'),
  pickleOf('ctorch\nHalfStorage\n'),
  unicode('a'),
  unicode('__proto__'),
  // A list that holds itself.
  pickleOf(']q\x09h\x09a'),
  pickleOf('('.repeat(1200)),
  pickleOf('N'.repeat(120_000)),
  pickleOf(']'.repeat(3000), 'a'.repeat(2999)),
  pickleOf(0x80, 6),
  pickleOf('.'),
]

function mutatedPickle(random: SeededRandom): Buffer {
  const parts = [...pick(random, seeds)]
  for (let i = random.int(0, 3); i > 0; i--) {
    const at = random.int(0, parts.length - 1)
    const kind = random.int(0, 5)
    if (kind === 0) parts.splice(at, 1)
    if (kind === 1) parts.splice(at, 0, pick(random, operations))
    if (kind === 2) parts[at] = pick(random, operations)
    if (kind === 3) parts.splice(at, 0, ...parts.slice(at, at + random.int(1, 8)))
    if (kind === 4) parts.splice(at, 0, pick(random, parts))
    // The opcode stays, its argument changes.
    if (kind === 5) parts[at] = Buffer.from([parts[at]![0]!, ...mutateBytes(random, parts[at]!.subarray(1))])
    if (parts.length === 0) return Buffer.of(0x2e)
  }
  return Buffer.concat(parts)
}

export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/io/src/pickle.ts',
    'packages/io/src/torch-pickle.ts',
    'packages/io/src/torch-file.ts',
    'packages/io/src/read-tensor.ts',
  ],
  createCase(random) {
    const lie = random.next() < 0.03
    const byteorder =
      random.next() < 0.05 ? { byteorder: Buffer.from(pick(random, ['little', 'big', ''])) } : {}
    // The checksum is that of the mutated pickle.
    const file = writeTorchFile(mutatedPickle(random), { ...records, ...byteorder })
    return {
      files: { 'file.pth': lie ? mutateBytes(random, file) : file },
      run: async (folder) => readListing(await openTorchFile(join(folder, 'file.pth'))),
    }
  },
})
