import { createHash, type Hash } from 'node:crypto'
import { type DType, dtypeBytes, fail } from '@trimkv/tensor'
import { writeAtomically } from './atomic-write.ts'
import { type FileReader, openFileReader } from './file-reader.ts'
import { narrowBf16, narrowF8, narrowF16, widenBf16, widenF8, widenF16 } from './half-precision.ts'
import { malformed } from './malformed.ts'
import { readSafetensorsHeader } from './safetensors-header.ts'
import { fileDtypeOf, type TensorEntry } from './tensor-listing.ts'
import { encodeHeader } from './write-safetensors.ts'

/** A tensor whose elements are made when they are written, so that a file never stands in memory as a whole. */
export interface TensorOnDemand {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Row-major; values of bf16 and f16 tensors as f32, which must be exact. */
  read(): Float32Array | Int32Array
}

/** Holds the checksum; the last tensor of a sealed file. */
const sealName = 'sha256'
const sealBytes = 32
const largestPart = 2 ** 30
/** Bytes hashed at a time while a file is checked. */
const pieceBytes = 4 * 1024 * 1024

const byteLengthOf = ({ dtype, shape }: TensorOnDemand): number =>
  shape.reduce((a, b) => a * b, 1) * dtypeBytes(dtype)

function stored(
  dtype: DType,
  values: Float32Array | Int32Array,
): Float32Array | Int32Array | Uint16Array | Uint8Array {
  if (dtype === 'bf16') return narrowBf16(values as Float32Array)
  if (dtype === 'f8') return narrowF8(values as Float32Array)
  return dtype === 'f16' ? narrowF16(values as Float32Array) : values
}

/** Hashes in parts: one call takes less than 2 GiB. */
function addTo(hash: Hash, { buffer, byteOffset, byteLength }: ArrayBufferView): void {
  for (let at = 0; at < byteLength; at += largestPart)
    hash.update(new Uint8Array(buffer, byteOffset + at, Math.min(largestPart, byteLength - at)))
}

function* sealed(
  header: Buffer,
  tensors: readonly TensorOnDemand[],
  signal: AbortSignal | undefined,
): Generator<ArrayBufferView> {
  const hash = createHash('sha256').update(header)
  yield header
  for (const tensor of tensors) {
    signal?.throwIfAborted()
    const piece = stored(tensor.dtype, tensor.read())
    addTo(hash, piece)
    yield piece
  }
  yield hash.digest()
}

/**
 * Writes a safetensors file, atomically, that ends with a checksum over every byte before it: tensor `sha256`, U8 [32].
 * Tensors are asked for one after the other, widest elements first.
 * @throws TrimError `TRIMKV_OPTION`, `TRIMKV_DISK`, `TRIMKV_IO` as `writeSafetensors`; `signal.reason` when aborted; the
 *   file that was there stays
 */
export async function writeSealedSafetensors(
  path: string,
  tensors: readonly TensorOnDemand[],
  {
    metadata,
    signal,
  }: { readonly metadata: Readonly<Record<string, string>>; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  signal?.throwIfAborted()
  const ordered = tensors.toSorted((a, b) => dtypeBytes(b.dtype) - dtypeBytes(a.dtype))
  const taken = ordered.find(({ name }) => name === sealName)
  if (taken) fail('TRIMKV_OPTION', `a tensor of a sealed file cannot be named ${sealName}`)
  const entries = ordered.map((tensor) => ({
    name: tensor.name,
    fileDtype: fileDtypeOf[tensor.dtype],
    shape: tensor.shape,
    byteLength: byteLengthOf(tensor),
  }))
  const seal = { name: sealName, fileDtype: 'U8', shape: [sealBytes], byteLength: sealBytes }
  const header = encodeHeader([...entries, seal], metadata)
  await writeAtomically(path, sealed(header, ordered, signal)).catch((error: unknown) => {
    signal?.throwIfAborted()
    throw error
  })
}

/** A sealed file, checked and open for reading. What replaces it on disk meanwhile does not matter. */
export interface SealedFile extends AsyncDisposable {
  readonly path: string
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Compares the checksum. @throws TrimError `TRIMKV_FORMAT` when a byte of the file is not the one that was written */
  verify(signal?: AbortSignal): Promise<void>
  /**
   * Elements of a tensor, row-major, bf16 and f16 widened exactly.
   * @throws TrimError `TRIMKV_FORMAT` when there is no such tensor of a type of ours
   */
  read(name: string): Promise<Float32Array | Int32Array>
}

async function verifySeal(reader: FileReader, signal: AbortSignal | undefined): Promise<void> {
  const hash = createHash('sha256')
  const end = reader.size - sealBytes
  const piece = Buffer.alloc(Math.min(pieceBytes, end))
  for (let at = 0; at < end; at += piece.length) {
    signal?.throwIfAborted()
    const part = piece.subarray(0, Math.min(piece.length, end - at))
    await reader.readInto(part, at)
    hash.update(part)
  }
  const [expected, got] = [(await reader.read(end, sealBytes)).toString('hex'), hash.digest('hex')]
  if (expected === got) return
  malformed({
    file: reader.path,
    field: 'checksum',
    expected,
    got,
    hint: 'the file was altered or damaged after it was written; nothing of it was used',
  })
}

async function readElements(reader: FileReader, entry: TensorEntry): Promise<Float32Array | Int32Array> {
  const bytes = new Uint8Array(entry.byteLength)
  await reader.readInto(bytes, entry.byteOffset)
  const { buffer } = bytes
  switch (entry.dtype) {
    case 'i32':
      return new Int32Array(buffer)
    case 'bf16':
      return widenBf16(new Uint16Array(buffer))
    case 'f16':
      return widenF16(new Uint16Array(buffer))
    case 'f8':
      return widenF8(bytes)
    default:
      return new Float32Array(buffer)
  }
}

/**
 * Opens a file of {@link writeSealedSafetensors}; its data is not looked at before `verify`.
 * @throws TrimError `TRIMKV_NOT_FOUND`; `TRIMKV_FORMAT` when it is no safetensors file, is cut off, or has no checksum
 */
export async function openSealedSafetensors(path: string): Promise<SealedFile> {
  const reader = await openFileReader(path)
  try {
    const { tensors, metadata } = await readSafetensorsHeader(reader)
    const seal = tensors.find(({ name }) => name === sealName)
    if (seal?.byteLength !== sealBytes || seal.byteOffset !== reader.size - sealBytes) {
      malformed({
        file: path,
        field: `tensor "${sealName}"`,
        expected: 'a checksum at the end',
        got: seal?.shape,
      })
    }
    const byName = new Map(tensors.filter((entry) => entry !== seal).map((entry) => [entry.name, entry]))
    return {
      path,
      metadata,
      tensors: byName,
      verify: (signal) => verifySeal(reader, signal),
      read: async (name) => {
        const entry = byName.get(name)
        if (entry?.dtype) return readElements(reader, entry)
        return malformed({
          file: path,
          field: `tensor "${name}"`,
          expected: 'f32, i32, bf16 or f16',
          got: entry?.fileDtype,
        })
      },
      [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
    }
  } catch (error) {
    await reader[Symbol.asyncDispose]()
    throw error
  }
}
