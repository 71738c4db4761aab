import type { FileReader } from '../file-reader.ts'
import { malformed } from '../malformed.ts'
import { safeElementCount } from '../tensor-listing.ts'
import { GgufCursor, HeaderGoesOn } from './gguf-cursor.ts'

/** A list of numbers, as compact as in the file; truth values are 0 and 1. */
export type GgufNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
export type GgufScalar = number | boolean | string
export type GgufValue = GgufScalar | readonly string[] | GgufNumbers

/** Element types that models here take, by the number a file has for them: elements and bytes of a block. */
const ggmlTypes = {
  0: { name: 'F32', elements: 1, bytes: 4 },
  1: { name: 'F16', elements: 1, bytes: 2 },
  2: { name: 'Q4_0', elements: 32, bytes: 18 },
  8: { name: 'Q8_0', elements: 32, bytes: 34 },
  30: { name: 'BF16', elements: 1, bytes: 2 },
} as const

export type GgmlType = (typeof ggmlTypes)[keyof typeof ggmlTypes]['name']

/** Names of others, to refuse them by. */
const otherTypes: Readonly<Record<number, string>> = {
  3: 'Q4_1',
  6: 'Q5_0',
  7: 'Q5_1',
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  12: 'Q4_K',
  13: 'Q5_K',
  14: 'Q6_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
}

export interface GgufTensor {
  readonly name: string
  readonly type: GgmlType
  /** Row-major, outermost axis first; the file lists the innermost first. */
  readonly shape: readonly number[]
  /** From the start of the file. */
  readonly byteOffset: number
  readonly byteLength: number
}

export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>
  readonly tensors: readonly GgufTensor[]
}

const firstRead = 1 << 20
/** Vocabularies with their merges take some 10 MiB; as JavaScript has them, texts take several times their bytes. */
const largestHeader = 64 * 1024 * 1024
/** Of tensors, and of metadata values: models have some hundreds and some tens. */
const mostEntries = 2 ** 16
const defaultAlignment = 32
const mostAxes = 4
const longestName = 256

/**
 * Reads and checks everything of a GGUF file but the tensors themselves.
 * @throws TrimError `TRIMKV_FORMAT` when a count, length, name or place is not possible in this file; `TRIMKV_UNSUPPORTED` for another
 *   version or element type
 * @see ggml docs/gguf.md, version 3 (2 differs in nothing that is read here)
 */
export async function readGgufHeader(reader: FileReader): Promise<GgufHeader> {
  const most = Math.min(reader.size, largestHeader)
  for (let length = Math.min(firstRead, most); ; length = Math.min(4 * length, most)) {
    try {
      const bytes = await reader.read(0, length)
      return parseHeader(new GgufCursor(bytes, { file: reader.path, size: reader.size }))
    } catch (error) {
      if (!(error instanceof HeaderGoesOn)) throw error
      if (length < most) continue
      return malformed({
        file: reader.path,
        field: 'header',
        expected: `at most ${largestHeader} bytes`,
        got: 'more',
      })
    }
  }
}

function parseHeader(cursor: GgufCursor): GgufHeader {
  const { file } = cursor
  const magic = cursor.u32('magic')
  if (magic !== 0x46554747) {
    malformed({ file, field: 'magic', expected: 'GGUF', got: magic, hint: 'this is not a GGUF file' })
  }
  const version = cursor.u32('version')
  if (version !== 2 && version !== 3) {
    const hint = 'a file of version 1, or of a machine with the other byte order, is converted by llama.cpp'
    malformed({ code: 'TRIMKV_UNSUPPORTED', file, field: 'version', expected: '2 or 3', got: version, hint })
  }
  const tensorCount = countOf(cursor, 'number of tensors', { bytesEach: 24, most: mostEntries })
  const valueCount = countOf(cursor, 'number of metadata values', { bytesEach: 13, most: mostEntries })
  const metadata = new Map<string, GgufValue>()
  for (let i = 0; i < valueCount; i++) {
    const key = cursor.text(`metadata key ${i}`)
    if (metadata.has(key))
      malformed({ file, field: 'metadata', expected: 'every key once', got: `${key} twice` })
    metadata.set(key, readValue(cursor, `metadata ${JSON.stringify(key)}`))
  }
  const places = Array.from({ length: tensorCount }, (_, i) => readTensorInfo(cursor, i))
  return { metadata, tensors: placeTensors(cursor, places, alignmentOf(metadata, file)) }
}

/** A number of things that take at least `bytesEach`. */
function countOf(
  cursor: GgufCursor,
  field: string,
  { bytesEach, most }: { readonly bytesEach: number; readonly most: number },
): number {
  const count = cursor.count(field, bytesEach)
  if (count > most) malformed({ file: cursor.file, field, expected: `at most ${most}`, got: count })
  return count
}

/** Numbers of types that are none. */
const [boolType, stringType, arrayType] = [7, 8, 9]

function readValue(cursor: GgufCursor, field: string): GgufValue {
  const type = cursor.u32(`type of ${field}`)
  if (type === arrayType) return readArray(cursor, field)
  if (type === stringType) return cursor.text(field)
  const value = numberType(cursor, type, field).read(cursor, field)
  return type === boolType ? value !== 0 : value
}

interface NumberType {
  readonly List: new (length: number) => GgufNumbers
  /** Bytes of one in the file. */
  readonly bytes: number
  readonly read: (cursor: GgufCursor, field: string) => number
}

const numberTypes: Readonly<Record<number, NumberType>> = {
  0: { List: Uint8Array, bytes: 1, read: (c, field) => c.u8(field) },
  1: { List: Int8Array, bytes: 1, read: (c, field) => c.i8(field) },
  2: { List: Uint16Array, bytes: 2, read: (c, field) => c.u16(field) },
  3: { List: Int16Array, bytes: 2, read: (c, field) => c.i16(field) },
  4: { List: Uint32Array, bytes: 4, read: (c, field) => c.u32(field) },
  5: { List: Int32Array, bytes: 4, read: (c, field) => c.i32(field) },
  6: { List: Float32Array, bytes: 4, read: (c, field) => c.f32(field) },
  [boolType]: { List: Uint8Array, bytes: 1, read: (c, field) => Math.min(1, c.u8(field)) },
  10: { List: Float64Array, bytes: 8, read: (c, field) => c.u64(field) },
  11: { List: Float64Array, bytes: 8, read: (c, field) => c.i64(field) },
  12: { List: Float64Array, bytes: 8, read: (c, field) => c.f64(field) },
}

function numberType(cursor: GgufCursor, type: number, field: string): NumberType {
  const known = Object.hasOwn(numberTypes, type) ? numberTypes[type] : undefined
  return known ?? malformed({ file: cursor.file, field, expected: 'a type from 0 to 12', got: type })
}

/** No vocabulary has more entries. */
const longestArray = 2 ** 24

function readArray(cursor: GgufCursor, field: string): readonly string[] | GgufNumbers {
  const type = cursor.u32(`type of the elements of ${field}`)
  if (type === arrayType) malformed({ file: cursor.file, field, expected: 'no array of arrays', got: type })
  const length = (bytesEach: number): number =>
    countOf(cursor, `length of ${field}`, { bytesEach, most: longestArray })
  if (type === stringType) {
    const texts: string[] = []
    for (let left = length(8); left > 0; left--) texts.push(cursor.text(field))
    return texts
  }
  const { List, bytes, read } = numberType(cursor, type, field)
  const count = length(bytes)
  cursor.require(count * bytes, field)
  const values = new List(count)
  for (let i = 0; i < count; i++) values[i] = read(cursor, field)
  return values
}

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>, file: string): number {
  const alignment = metadata.get('general.alignment') ?? defaultAlignment
  const valid =
    typeof alignment === 'number' && Number.isInteger(alignment) && alignment >= 8 && alignment <= 2 ** 20
  if (valid && Number.isInteger(Math.log2(alignment))) return alignment
  return malformed({
    file,
    field: 'general.alignment',
    expected: 'a power of two from 8 to 2^20',
    got: alignment,
  })
}

interface TensorInfo extends Omit<GgufTensor, 'byteOffset'> {
  /** From the start of the tensor data. */
  readonly offset: number
}

function readTensorInfo(cursor: GgufCursor, index: number): TensorInfo {
  const { file } = cursor
  const name = cursor.text(`name of tensor ${index}`)
  const field = `tensor ${JSON.stringify(name.slice(0, 64))}`
  if (name === '' || Buffer.byteLength(name) > longestName) {
    malformed({ file, field, expected: `a name of 1 to ${longestName} bytes`, got: name })
  }
  const axes = cursor.u32(field)
  if (axes < 1 || axes > mostAxes) malformed({ file, field, expected: `1 to ${mostAxes} axes`, got: axes })
  const shape = Array.from({ length: axes }, () => cursor.u64(field)).reverse()
  const number = cursor.u32(field)
  const type = Object.hasOwn(ggmlTypes, number) ? ggmlTypes[number as keyof typeof ggmlTypes] : undefined
  if (!type) {
    return malformed({
      code: 'TRIMKV_UNSUPPORTED',
      file,
      field: `${field}: element type`,
      expected: Object.values(ggmlTypes)
        .map((known) => known.name)
        .join(', '),
      got: otherTypes[number] ?? number,
      hint: 'convert the checkpoint to one of these with llama-quantize, or use the original with --weights q8 or q4',
    })
  }
  const count = safeElementCount(shape)
  if (!count || shape.at(-1)! % type.elements !== 0 || !Number.isSafeInteger(4 * count)) {
    return malformed({
      file,
      field,
      expected: `sizes above 0, rows in blocks of ${type.elements}`,
      got: shape,
    })
  }
  return {
    name,
    type: type.name,
    shape,
    byteLength: (count / type.elements) * type.bytes,
    offset: cursor.u64(field),
  }
}

/** Tensors must lie in the file one after another with padding between them: nothing overlaps and nothing is hidden. */
function placeTensors(cursor: GgufCursor, infos: readonly TensorInfo[], alignment: number): GgufTensor[] {
  const { file, size } = cursor
  const align = (at: number): number => Math.ceil(at / alignment) * alignment
  const start = align(cursor.at)
  const names = new Set<string>()
  let expected = 0
  for (const { name, offset, byteLength } of infos.toSorted((a, b) => a.offset - b.offset)) {
    const field = `tensor ${JSON.stringify(name)}`
    if (names.has(name)) malformed({ file, field, expected: 'every name once', got: 'twice' })
    names.add(name)
    if (offset !== expected) malformed({ file, field, expected: `to begin at ${expected}`, got: offset })
    if (byteLength > size - start - offset) {
      malformed({
        file,
        field,
        expected: `${byteLength} bytes at ${start + offset}`,
        got: `a file of ${size}`,
        hint: 'the file is truncated; fetch it again',
      })
    }
    expected = align(offset + byteLength)
  }
  if (size > start + expected) {
    malformed({ file, field: 'size', expected: `${start + expected} bytes by its header`, got: size })
  }
  return infos.map(({ offset, ...info }) => ({ ...info, byteOffset: start + offset }))
}
