import type { FileReader } from './file-reader.ts'
import { decodeUtf8, duplicateKey, isJsonObject, type JsonObject, parseJsonObject } from './json-file.ts'
import { malformed } from './malformed.ts'
import {
  dtypeOf,
  type FileDtype,
  fileDtypes,
  isFileDtype,
  safeElementCount,
  type TensorEntry,
} from './tensor-listing.ts'

/** Limit of the format. */
export const largestHeader = 100_000_000
/** The length of the header, as u64, stands before it. */
export const headerStart = 8

export interface SafetensorsHeader {
  readonly tensors: readonly TensorEntry[]
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Reads and checks the header of a safetensors file, and nothing else of it.
 * @throws TrimError `TRIMKV_FORMAT` when any byte of the file is not accounted for exactly once
 */
export async function readSafetensorsHeader(reader: FileReader): Promise<SafetensorsHeader> {
  const file = reader.path
  const length = await readHeaderLength(reader)
  const text = decodeUtf8(await reader.read(headerStart, length), file, 'header')
  if (!text.startsWith('{')) malformed({ file, field: 'header', expected: 'a JSON object', got: text })
  const header = parseJsonObject(text, file, 'header')
  const repeated = duplicateKey(text)
  if (repeated !== undefined) {
    malformed({ file, field: 'header', expected: 'every name once', got: `${repeated} twice` })
  }

  const dataStart = headerStart + length
  const tensors = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) =>
      parseTensor(value, { file, name, dataStart, dataLength: reader.size - dataStart }),
    )
  checkTiling(tensors, { file, start: dataStart, end: reader.size })
  return { tensors, metadata: parseMetadata(header.__metadata__, file) }
}

async function readHeaderLength(reader: FileReader): Promise<number> {
  const file = reader.path
  if (reader.size < headerStart) {
    malformed({ file, field: 'size', expected: `at least ${headerStart} bytes`, got: reader.size })
  }
  const length = (await reader.read(0, headerStart)).readBigUInt64LE()
  if (length > largestHeader) {
    malformed({
      file,
      field: 'header length',
      expected: `at most ${largestHeader} bytes`,
      got: length,
      hint: 'this is not a safetensors file; a Git LFS pointer or a web page in its place reads like this',
    })
  }
  if (headerStart + Number(length) > reader.size) {
    malformed({
      file,
      field: 'header length',
      expected: `at most ${reader.size - headerStart} bytes in a file of ${reader.size}`,
      got: length,
      hint: 'the file is truncated; fetch it again',
    })
  }
  return Number(length)
}

interface Place {
  readonly file: string
  readonly name: string
  readonly dataStart: number
  readonly dataLength: number
}

function parseTensor(value: unknown, { file, name, dataStart, dataLength }: Place): TensorEntry {
  const field = `tensor ${JSON.stringify(name)}`
  if (!isJsonObject(value)) malformed({ file, field, expected: 'dtype, shape and data_offsets', got: value })
  const unknownKey = Object.keys(value).find((key) => !['dtype', 'shape', 'data_offsets'].includes(key))
  if (unknownKey !== undefined) {
    malformed({ file, field, expected: 'dtype, shape and data_offsets only', got: unknownKey })
  }

  const fileDtype = value.dtype
  if (!isFileDtype(fileDtype)) {
    malformed({ file, field: `${field}.dtype`, expected: Object.keys(fileDtypes).join(', '), got: fileDtype })
  }
  const shape = parseSizes(value.shape, file, `${field}.shape`)
  const offsets = parseSizes(value.data_offsets, file, `${field}.data_offsets`)
  const [begin, end] = offsets
  if (begin === undefined || end === undefined || offsets.length !== 2 || begin > end || end > dataLength) {
    malformed({
      file,
      field: `${field}.data_offsets`,
      expected: `[begin, end] with begin ≤ end ≤ ${dataLength}`,
      got: offsets,
      hint: 'a file shorter than its header says is truncated; fetch it again',
    })
  }
  const expectedBytes = byteLengthOf(fileDtype, shape)
  if (expectedBytes !== end - begin) {
    malformed({
      file,
      field: `${field}.data_offsets`,
      expected: `${expectedBytes ?? 'a countable number of'} bytes for ${fileDtype} [${shape.join(', ')}]`,
      got: end - begin,
    })
  }
  return {
    name,
    dtype: dtypeOf(fileDtype),
    fileDtype,
    shape,
    file,
    byteOffset: dataStart + begin,
    byteLength: end - begin,
  }
}

function parseSizes(value: unknown, file: string, field: string): readonly number[] {
  const valid = Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0)
  return valid ? value : malformed({ file, field, expected: 'an array of integers ≥ 0', got: value })
}

/** Bytes of a tensor; undefined where they are no whole safe number. */
function byteLengthOf(fileDtype: FileDtype, shape: readonly number[]): number | undefined {
  const count = safeElementCount(shape)
  const bits = count === undefined ? undefined : count * fileDtypes[fileDtype].bits
  return bits !== undefined && Number.isSafeInteger(bits) && bits % 8 === 0 ? bits / 8 : undefined
}

/** Tensors must cover the data exactly: a gap could hide something, an overlap could be a lie. */
function checkTiling(
  tensors: readonly TensorEntry[],
  { file, start, end }: { file: string; start: number; end: number },
): void {
  const byPlace = tensors.toSorted((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength)
  let expected = start
  for (const { name, byteOffset, byteLength } of byPlace) {
    if (byteOffset !== expected) {
      const field = `tensor ${JSON.stringify(name)}.data_offsets`
      malformed({ file, field, expected: `to begin at ${expected - start}`, got: byteOffset - start })
    }
    expected += byteLength
  }
  if (expected !== end) {
    malformed({ file, field: 'size', expected: `${expected} bytes by its header`, got: end })
  }
}

function parseMetadata(value: unknown, file: string): Readonly<Record<string, string>> {
  if (value === undefined) return {}
  const isText = (entry: JsonObject): entry is Record<string, string> =>
    Object.values(entry).every((text) => typeof text === 'string')
  if (isJsonObject(value) && isText(value)) return value
  return malformed({ file, field: '__metadata__', expected: 'an object of strings', got: value })
}
