import { createHash, type Hash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { type FileReader, openFileReader, type TensorEntry, type TensorListing } from '@trimkv/io'
import type { DecoderSpec } from '@trimkv/models'
import { fail } from '@trimkv/tensor'

/** Digests of what a model computes with. */
export interface ModelFingerprint {
  /** Of the weights and the shape of the model. */
  readonly weights: string
  /** Of the retention gates; undefined without gates. */
  readonly gates: string | undefined
}

/** Tensors up to this size are read as a whole. */
const wholeBytes = 64 * 1024
const blockBytes = 4 * 1024
const blocks = 16

/** Where a tensor is read: all of it, or blocks spread evenly from its first byte to its last. */
function sampledRanges({ byteOffset, byteLength }: TensorEntry): { offset: number; length: number }[] {
  if (byteLength <= wholeBytes) return [{ offset: byteOffset, length: byteLength }]
  const step = (byteLength - blockBytes) / (blocks - 1)
  return Array.from({ length: blocks }, (_, i) => ({
    offset: byteOffset + Math.floor(i * step),
    length: blockBytes,
  }))
}

/** By path: what tells the files a model was loaded from from others that take their places. */
export type LoadedFiles = ReadonlyMap<string, string>

async function fileMark(path: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(path, { bigint: true })
  return [ino, size, mtimeNs].join()
}

/** To be called before files are mapped: one that is replaced in between is then refused, not taken for the other. */
export async function markFiles(files: TensorListing['files']): Promise<LoadedFiles> {
  return new Map(await Promise.all(files.map(async ({ path }) => [path, await fileMark(path)] as const)))
}

/** Opens a file that was loaded. It is looked at after that: what was opened is then what is there. */
async function openLoaded(path: string, loaded: LoadedFiles): Promise<FileReader> {
  const reader = await openFileReader(path)
  if ((await fileMark(path).catch(() => undefined)) === loaded.get(path)) return reader
  await reader[Symbol.asyncDispose]()
  return fail('TRIMKV_SESSION_MISMATCH', `${path} was changed or replaced after the model was loaded`, {
    why: ['the weights in memory cannot be told from others any more, so sessions cannot name them'],
    hint: 'load the model again',
    details: { file: path, field: 'model' },
  })
}

async function addTensors(hash: Hash, { tensors, files }: TensorListing, loaded: LoadedFiles): Promise<void> {
  const readers = new Map<string, FileReader>()
  try {
    for (const { path } of files) readers.set(path, await openLoaded(path, loaded))
    for (const [name, entry] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
      hash.update(JSON.stringify([name, entry.fileDtype, entry.shape]))
      const reader = readers.get(entry.file)!
      for (const { offset, length } of sampledRanges(entry)) hash.update(await reader.read(offset, length))
    }
  } finally {
    for (const reader of readers.values()) await reader[Symbol.asyncDispose]()
  }
}

async function digest(listing: TensorListing, spec: unknown, loaded: LoadedFiles): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(spec))
  await addTensors(hash, listing, loaded)
  return hash.digest('hex')
}

/**
 * Tells models apart by their weights, not by name or place: SHA-256 over what the configuration makes of them, the name, type
 * and shape of every tensor, and of each tensor 64 KiB: all of a small one, else 16 blocks from end to end. Training, merging
 * an adapter and converting change every tensor they touch nearly everywhere, so any of them is seen; an edit by hand of a few
 * rows of a large tensor may not be. It takes a fraction of a second where hashing all of a model takes as long as reading it.
 * @throws TRIMKV_SESSION_MISMATCH when a file is not the one that was loaded any more
 */
export async function modelFingerprint(
  spec: DecoderSpec,
  files: {
    readonly weights: TensorListing
    readonly gates: TensorListing | undefined
    readonly loaded: LoadedFiles
  },
): Promise<ModelFingerprint> {
  const { stored: _stored, ...shape } = spec
  const { weights, gates, loaded } = files
  return {
    weights: await digest(weights, shape, loaded),
    gates: gates && (await digest(gates, 'gates', loaded)),
  }
}
