import { join } from 'node:path'
import {
  type FuzzTarget,
  fuzzTarget,
  mutateBytes,
  mutateJson,
  pick,
  type SeededRandom,
} from '@trimkv/testing'
import { openCheckpoint, openSafetensors } from '../../src/safetensors.ts'
import { type FileDtype, fileDtypes } from '../../src/tensor-listing.ts'
import { readListing } from './read-listing.ts'

interface Entry {
  dtype: FileDtype
  shape: number[]
  data_offsets: [number, number]
}

const names = ['model.embed_tokens.weight', 'model.layers.0.a', 'model.layers.0.b', 'x', '', 'é', 'a"b\\']

/** A valid header of random tensors, and how many bytes of data it speaks of. */
function validHeader(random: SeededRandom): { header: Record<string, unknown>; bytes: number } {
  const header: Record<string, unknown> = {}
  let bytes = 0
  if (random.next() < 0.5) header.__metadata__ = { format: 'pt', note: 'x' }
  for (const name of names.slice(0, random.int(0, names.length))) {
    const dtype = pick(random, Object.keys(fileDtypes) as FileDtype[])
    // A last axis of 8 keeps narrow types on whole bytes.
    const shape = [...Array.from({ length: random.int(0, 2) }, () => random.int(0, 3)), 8]
    const size = (shape.reduce((a, b) => a * b, 1) * fileDtypes[dtype].bits) / 8
    header[name] = { dtype, shape, data_offsets: [bytes, bytes + size] } satisfies Entry
    bytes += size
  }
  return { header, bytes }
}

/** Header length and data made to fit a header, in most cases. */
function fileOf(random: SeededRandom, text: string, dataBytes: number): Buffer {
  const header = Buffer.from(text)
  const length = Buffer.alloc(8)
  const said = random.next() < 0.95 ? header.length : pick(random, [0, 1, header.length + 1, 1e8, 2 ** 53])
  length.writeBigUInt64LE(BigInt(said))
  const actual = random.next() < 0.95 ? dataBytes : Math.max(0, dataBytes + random.int(-9, 9))
  return Buffer.concat([length, header, Buffer.alloc(actual, random.int(0, 255))])
}

/** Where the tensors of a mutated header end, so that a change elsewhere in it is reached. */
function endOfData(text: string, otherwise: number): number {
  const ends = [...text.matchAll(/"data_offsets":\[\d+,(\d+)\]/g)].map(([, end]) => Number(end))
  const end = Math.max(...ends)
  return ends.length > 0 && end < 2 ** 20 ? end : otherwise
}

/** The same name twice, as JSON.parse would let pass. */
const repeatEntry = (text: string): string =>
  text.replace(/^\{("[^"]*":(?:\{[^{}]*\}))/, (_, entry) => `{${entry},${entry}`)

function mutatedFile(random: SeededRandom): Uint8Array {
  const { header, bytes } = validHeader(random)
  const valid = JSON.stringify(header)
  const kind = random.next()
  if (kind < 0.05) return fileOf(random, valid, bytes)
  if (kind < 0.1) return fileOf(random, repeatEntry(valid), bytes)
  if (kind < 0.2) return mutateBytes(random, fileOf(random, valid, bytes))
  const text = mutateJson(random, valid)
  return fileOf(random, text, endOfData(text, bytes))
}

/** A checkpoint of two shards: the index is mutated, or one of the shards, or neither. */
function mutatedShards(random: SeededRandom): Record<string, string | Uint8Array> {
  const shard = (name: string): Buffer =>
    fileOf(random, JSON.stringify({ [name]: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }), 8)
  const index = JSON.stringify({
    metadata: { total_size: 16 },
    weight_map: { a: '1.safetensors', b: '2.safetensors' },
  })
  const kind = random.int(0, 3)
  return {
    '1.safetensors': kind === 0 ? mutatedFile(random) : shard('a'),
    '2.safetensors': shard('b'),
    'model.safetensors.index.json': kind > 1 ? mutateJson(random, index) : index,
  }
}

export const target: FuzzTarget = fuzzTarget({
  covers: [
    'packages/io/src/safetensors-header.ts',
    'packages/io/src/safetensors.ts',
    'packages/io/src/tensor-listing.ts',
    'packages/io/src/read-tensor.ts',
    'packages/io/src/json-file.ts',
    'packages/io/src/half-precision.ts',
  ],
  createCase(random) {
    if (random.next() < 0.2) {
      const run = async (folder: string): Promise<void> => readListing(await openCheckpoint(folder))
      return { files: mutatedShards(random), run }
    }
    const run = async (folder: string): Promise<void> => {
      await readListing(await openSafetensors(join(folder, 'file.safetensors')))
    }
    return { files: { 'file.safetensors': mutatedFile(random) }, run }
  },
})
