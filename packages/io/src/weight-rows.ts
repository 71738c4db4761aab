import {
  fail,
  isQuantised,
  packQuantised,
  type QuantisedDType,
  type QuantisedRun,
  type QuantisedSpec,
  quantise,
  quantisedDepth,
  quantisedRows,
  TrimError,
} from '@trimkv/tensor'
import { type FileReader, openFileReader } from './file-reader.ts'
import { widenBf16, widenF16, widenOneF16 } from './half-precision.ts'
import type { TensorEntry } from './tensor-listing.ts'

/** Elements taken into memory at once, about. */
const elementsAtOnce = 2 ** 21

/** Blocks of 32 elements as llama.cpp stores them: an f16 scale, then the integers. */
const blockBytes = { Q8_0: 34, Q4_0: 18 } as const
const elementBytes = { F32: 4, BF16: 2, F16: 2 } as const

const isBlocked = (fileDtype: string): fileDtype is keyof typeof blockBytes =>
  Object.hasOwn(blockBytes, fileDtype)
const isFloat = (fileDtype: string): fileDtype is keyof typeof elementBytes =>
  Object.hasOwn(elementBytes, fileDtype)

/** Whether the bytes in the file are those of the tensor, so that it can be mapped. */
export const isStoredInPlace = ({ fileDtype, fileRow }: TensorEntry): boolean =>
  !isBlocked(fileDtype) && fileRow === undefined

/** [rows, depth]; a vector has rows of one element. */
const sizesOf = ({ shape }: TensorEntry): readonly [number, number] => [shape[0] ?? 1, shape[1] ?? 1]

/** The bytes of some rows, in the order of the tensor. */
async function readRows(
  reader: FileReader,
  entry: TensorEntry,
  { start, count }: { readonly start: number; readonly count: number },
): Promise<Uint8Array> {
  const rowBytes = entry.byteLength / sizesOf(entry)[0]
  const bytes = new Uint8Array(count * rowBytes)
  const { fileRow } = entry
  if (!fileRow) {
    await reader.readInto(bytes, entry.byteOffset + start * rowBytes)
    return bytes
  }
  for (let i = 0; i < count; i++) {
    const at = entry.byteOffset + fileRow(start + i) * rowBytes
    await reader.readInto(bytes.subarray(i * rowBytes, (i + 1) * rowBytes), at)
  }
  return bytes
}

/** Rows of a tensor in groups of whole panels; lets other work go on between them. */
async function* rowGroups(
  entry: TensorEntry,
  signal?: AbortSignal,
): AsyncGenerator<{ count: number; bytes: Uint8Array }> {
  await using reader = await openFileReader(entry.file)
  const [rows, depth] = sizesOf(entry)
  const step = Math.max(1, Math.floor(elementsAtOnce / depth / quantisedRows)) * quantisedRows
  for (let start = 0; start < rows; start += step) {
    const count = Math.min(step, rows - start)
    yield { count, bytes: await readRows(reader, entry, { start, count }) }
    await new Promise(setImmediate)
    signal?.throwIfAborted()
  }
}

/**
 * The bytes of a tensor as our dtype of it is stored, piece by piece: as they stand, or repacked from blocks of llama.cpp, which
 * changes no value.
 */
export async function* storedPieces(entry: TensorEntry, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const depth = sizesOf(entry)[1]
  const { fileDtype } = entry
  for await (const { count, bytes } of rowGroups(entry, signal)) {
    yield isBlocked(fileDtype) ? repack(bytes, fileDtype, [count, depth]) : bytes
  }
}

/** All of {@link storedPieces}. */
export async function readStored(entry: TensorEntry, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array[] = []
  for await (const piece of storedPieces(entry, signal)) pieces.push(piece)
  return Uint8Array.from(Buffer.concat(pieces))
}

/**
 * The bytes of a weight in a quantised format, piece by piece.
 * @throws TrimError `TRIMKV_DTYPE` unless the tensor is F32, BF16 or F16, or has that very format in a file of llama.cpp;
 *   `TRIMKV_UNSUPPORTED` for elements that are not finite or too large
 */
export async function* quantisedPieces(
  entry: TensorEntry,
  dtype: QuantisedDType,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { fileDtype } = entry
  if (isBlocked(fileDtype) && entry.dtype === dtype) {
    yield* storedPieces(entry, signal)
    return
  }
  if (!isFloat(fileDtype)) {
    fail('TRIMKV_DTYPE', cannotBecome(entry, dtype), {
      why: [
        'expected F32, BF16 or F16',
        `got ${isQuantised({ dtype: entry.dtype ?? 'f32', shape: entry.shape }) ? entry.dtype : fileDtype}`,
      ],
      hint: 'convert the checkpoint that it was made from',
    })
  }
  const depth = sizesOf(entry)[1]
  for await (const { count, bytes } of rowGroups(entry, signal)) {
    yield quantised(widen(bytes, fileDtype), { dtype, shape: [count, depth] }, entry)
  }
}

/** @throws as `quantise`, with the name of the tensor */
function quantised(values: Float32Array, spec: QuantisedSpec, entry: TensorEntry): Uint8Array {
  try {
    return quantise(values, spec)
  } catch (cause) {
    if (!TrimError.isInstance(cause)) throw cause
    return fail(cause.code, cannotBecome(entry, spec.dtype), {
      why: [cause.what, ...cause.why],
      ...(cause.hint !== undefined && { hint: cause.hint }),
      details: { file: entry.file, tensor: entry.name, dtype: spec.dtype },
      cause,
    })
  }
}

const cannotBecome = ({ file, name }: TensorEntry, dtype: QuantisedDType): string =>
  `${file}: tensor ${JSON.stringify(name)} cannot become ${dtype}`

function widen(bytes: Uint8Array, fileDtype: keyof typeof elementBytes): Float32Array {
  const count = bytes.byteLength / elementBytes[fileDtype]
  if (fileDtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, count)
  const bits = new Uint16Array(bytes.buffer, bytes.byteOffset, count)
  return fileDtype === 'BF16' ? widenBf16(bits) : widenF16(bits)
}

/**
 * Blocks of llama.cpp as ours: the same scales and integers in another order.
 * @see ggml-common.h, block_q8_0 and block_q4_0; ggml-quants.c for the halves of a byte
 */
function repack(
  bytes: Uint8Array,
  fileDtype: keyof typeof blockBytes,
  [rows, depth]: readonly [number, number],
): Uint8Array {
  const size = blockBytes[fileDtype]
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const run = { scale: 0, values: new Int8Array(quantisedDepth) }
  const runOf = (row: number, k: number): QuantisedRun => {
    const at = (row * (depth / quantisedDepth) + k / quantisedDepth) * size
    run.scale = widenOneF16(view.getUint16(at, true))
    for (let i = 0; i < quantisedDepth; i++) {
      run.values[i] =
        fileDtype === 'Q8_0'
          ? view.getInt8(at + 2 + i)
          : ((bytes[at + 2 + (i & 15)]! >> (i < 16 ? 0 : 4)) & 15) - 8
    }
    return run
  }
  return packQuantised({ dtype: fileDtype === 'Q8_0' ? 'q8' : 'q4', shape: [rows, depth] }, runOf)
}
