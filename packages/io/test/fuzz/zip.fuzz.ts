import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import {
  FieldBytes,
  type FuzzTarget,
  fuzzTarget,
  mutateBytes,
  pick,
  type SeededRandom,
} from '@trimkv/testing'
import { openTorchFile } from '../../src/torch-file.ts'
import { dictPickle, floats, tensorPickle } from '../torch-writer.ts'
import { readListing } from './read-listing.ts'

interface Entry {
  readonly name: string
  readonly data: Uint8Array
  readonly method?: number
}

const pickle = dictPickle({
  a: tensorPickle({ elements: 2, shape: [2], strides: [1] }),
  b: tensorPickle({ key: '1', elements: 3, shape: [3], strides: [1] }),
})

const wildNames = ['', 'archive/data.pkl', 'other/data.pkl', 'archive/data/0', '../x', 'a\0b', '\ufffd']

function entriesOf(random: SeededRandom): Entry[] {
  const entries: Entry[] = [
    { name: 'archive/data.pkl', data: pickle },
    { name: 'archive/byteorder', data: Buffer.from('little') },
    { name: 'archive/data/0', data: floats(1, 2) },
    { name: 'archive/data/1', data: floats(3, 4, 5) },
    { name: 'archive/version', data: Buffer.from('3\n') },
  ]
  if (random.next() < 0.2) {
    const at = random.int(0, entries.length - 1)
    const method = random.next() < 0.3 ? random.int(0, 99) : 0
    entries[at] = { ...entries[at]!, method, ...(random.next() < 0.7 && { name: pick(random, wildNames) }) }
  }
  if (random.next() < 0.1) entries.push(pick(random, entries))
  return entries
}

function localHeader(out: FieldBytes, { name, data, method = 0 }: Entry): void {
  out.number(4, 0x04034b50).number(2, 45).number(2, 0).number(2, method).number(4, 0)
  out.number(4, crc32(data)).number(4, data.length).number(4, data.length)
  out.number(2, Buffer.byteLength(name)).number(2, 4).bytes(name)
  // An extra field of a kind nobody knows, as torch pads with.
  out.number(2, 0x4246).number(2, 0).bytes(data)
}

function directoryRecord(out: FieldBytes, entry: Entry, at: { offset: number; wide: boolean }): void {
  const { name, data, method = 0 } = entry
  const { offset, wide } = at
  const sizes = [data.length, data.length, offset]
  const [size, packed, start] = wide ? [0xffffffff, 0xffffffff, 0xffffffff] : sizes
  out.number(4, 0x02014b50).number(2, 45).number(2, 45).number(2, 0).number(2, method).number(4, 0)
  out.number(4, crc32(data)).number(4, packed!).number(4, size!).number(2, Buffer.byteLength(name))
  out
    .number(2, wide ? 28 : 0)
    .number(2, 0)
    .number(2, 0)
    .number(2, 0)
    .number(4, 0)
    .number(4, start!)
    .bytes(name)
  if (!wide) return
  out.number(2, 1).number(2, 24)
  for (const value of sizes) out.number(8, value)
}

/** An archive as torch writes it, small or with every size in its zip64 records. */
function archive(
  entries: readonly Entry[],
  { wide, comment }: { wide: boolean; comment: string },
): FieldBytes {
  const out = new FieldBytes()
  const offsets = entries.map((entry) => {
    const offset = out.length
    localHeader(out, entry)
    return offset
  })
  const start = out.length
  for (const [i, entry] of entries.entries()) directoryRecord(out, entry, { offset: offsets[i]!, wide })
  const size = out.length - start
  if (wide) {
    const end = out.length
    out.number(4, 0x06064b50).number(8, 44).number(2, 45).number(2, 45).number(4, 0).number(4, 0)
    out.number(8, entries.length).number(8, entries.length).number(8, size).number(8, start)
    out.number(4, 0x07064b50).number(4, 0).number(8, end).number(4, 1)
  }
  const count = wide ? 0xffff : entries.length
  out.number(4, 0x06054b50).number(2, 0).number(2, 0).number(2, count).number(2, count)
  out.number(4, wide ? 0xffffffff : size).number(4, wide ? 0xffffffff : start)
  return out.number(2, Buffer.byteLength(comment)).bytes(comment)
}

function mutatedArchive(random: SeededRandom): Uint8Array {
  const comment = pick(random, ['', '', 'hello', 'PK\x05\x06'.padEnd(40, '\0'), 'x'.repeat(0xffff)])
  const built = archive(entriesOf(random), { wide: random.next() < 0.4, comment })
  const file = built.mutated(random, random.int(0, 3))
  return random.next() < 0.1 ? mutateBytes(random, file) : file
}

export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/io/src/zip-archive.ts',
    'packages/io/src/zip-end-record.ts',
    'packages/io/src/torch-file.ts',
  ],
  createCase: (random) => ({
    files: { 'file.pth': mutatedArchive(random) },
    run: async (folder) => readListing(await openTorchFile(join(folder, 'file.pth'))),
  }),
})
