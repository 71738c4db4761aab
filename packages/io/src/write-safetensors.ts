import { randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type DType, dtypeBytes, fail, TrimError } from '@trimkv/tensor'
import { headerStart, largestHeader } from './safetensors-header.ts'
import { fileDtypeOf, safeElementCount } from './tensor-listing.ts'

/** A tensor to write: row-major elements, in the bits of its element type. */
export interface TensorToWrite {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** `Float32Array` for f32, `Int32Array` for i32, `Uint16Array` of bits for bf16 and f16; or the bytes of these. */
  readonly data: Float32Array | Int32Array | Uint16Array | Uint8Array
}

const arrayOf = { f32: Float32Array, i32: Int32Array, bf16: Uint16Array, f16: Uint16Array } as const

/** Keeps one write call far below the 2 GiB that the system takes at most. */
const chunkBytes = 64 * 1024 * 1024

/**
 * Writes a safetensors file: beside the target first, then renamed over it, so that readers see the old file or the new
 * one, also after a crash. Tensor data is aligned to its element size.
 * @throws TrimError `TRIMKV_DTYPE` or `TRIMKV_SHAPE` when the data is not of that type or size; `TRIMKV_OPTION` for a name or metadata the format
 *   does not allow; `TRIMKV_IO` when writing fails (nothing is left behind)
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorToWrite>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ordered = Object.entries(tensors).sort(byAlignment)
  for (const [name, tensor] of ordered) checkTensor(name, tensor)
  const header = encodeHeader(ordered, metadata)
  await replaceFile(path, async (handle) => {
    await writeAll(handle, header)
    for (const [, { data }] of ordered) await writeAll(handle, data)
  })
}

type NamedTensor = readonly [name: string, tensor: TensorToWrite]

/** Wide elements first, so that no element needs padding before it; then by name, so that equal input gives equal files. */
const byAlignment = ([nameA, a]: NamedTensor, [nameB, b]: NamedTensor): number =>
  dtypeBytes(b.dtype) - dtypeBytes(a.dtype) || (nameA < nameB ? -1 : 1)

function checkTensor(name: string, { dtype, shape, data }: TensorToWrite): void {
  if (name === '__metadata__') fail('TRIMKV_OPTION', 'a tensor cannot be named __metadata__ in safetensors')
  if (!(data instanceof arrayOf[dtype] || data instanceof Uint8Array)) {
    fail('TRIMKV_DTYPE', `tensor ${JSON.stringify(name)} is ${dtype} and its data is not`, {
      why: [`expected ${arrayOf[dtype].name} or Uint8Array`],
      details: { name, dtype },
    })
  }
  const valid = shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  const count = valid ? safeElementCount(shape) : undefined
  const expected = count === undefined ? undefined : count * dtypeBytes(dtype)
  if (data.byteLength === expected) return
  fail('TRIMKV_SHAPE', `tensor ${JSON.stringify(name)} has not the bytes of its shape`, {
    why: [
      `expected ${expected ?? 'a countable number of'} bytes for ${dtype} [${shape.join(', ')}]`,
      `got ${data.byteLength}`,
    ],
    details: { name, dtype, shape, expected, got: data.byteLength },
  })
}

function encodeHeader(tensors: readonly NamedTensor[], metadata: Readonly<Record<string, string>>): Buffer {
  let offset = 0
  const entries = tensors.map(([name, { dtype, shape, data }]) => {
    const begin = offset
    offset += data.byteLength
    return [name, { dtype: fileDtypeOf[dtype], shape, data_offsets: [begin, offset] }] as const
  })
  const hasMetadata = Object.keys(metadata).length > 0
  if (Object.values(metadata).some((text) => typeof text !== 'string')) {
    fail('TRIMKV_OPTION', 'metadata of safetensors is text: every value must be a string')
  }
  const json = JSON.stringify(
    Object.fromEntries([...(hasMetadata ? [['__metadata__', metadata] as const] : []), ...entries]),
  )
  const text = Buffer.from(json)
  const length = Math.ceil(text.length / 8) * 8
  if (length > largestHeader)
    fail('TRIMKV_OPTION', `the header would be ${length} bytes, over ${largestHeader}`)
  const bytes = Buffer.alloc(headerStart + length, ' ')
  bytes.writeBigUInt64LE(BigInt(length))
  text.copy(bytes, headerStart)
  return bytes
}

async function writeAll(handle: FileHandle, view: ArrayBufferView): Promise<void> {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  let done = 0
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, chunkBytes))
    done += bytesWritten
  }
}

async function replaceFile(path: string, write: (handle: FileHandle) => Promise<void>): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const handle = await open(temporary, 'wx')
    try {
      await write(handle)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (cause) {
    await rm(temporary, { force: true })
    if (TrimError.isInstance(cause)) throw cause
    fail('TRIMKV_IO', `${path} cannot be written`, {
      why: [(cause as Error).message],
      hint: 'check that the folder exists, is writable, and has space left',
      details: { file: path },
      cause,
    })
  }
  await syncFolder(folder)
}

/** The rename itself must reach the disk; systems without this (Windows) refuse to open a folder. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}
