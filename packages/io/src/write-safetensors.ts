import { dtypeBytes, fail, isQuantised } from '@trimkv/tensor'
import { writeAtomically } from './atomic-write.ts'
import { quantisedMetadata } from './quantised-listing.ts'
import { headerStart, largestHeader } from './safetensors-header.ts'
import { fileDtypeOf } from './tensor-listing.ts'
import { checkTensorToWrite, storedBytes, type TensorToStream } from './tensor-to-write.ts'

/**
 * Writes a safetensors file, atomically as {@link writeAtomically} does. Tensor data is aligned to its element size.
 * @throws TrimError as {@link safetensorsPieces}; `TRIMKV_DISK` or `TRIMKV_IO` when writing fails (nothing is left behind)
 */
export async function writeSafetensors(
  path: string,
  tensors: Readonly<Record<string, TensorToStream>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeAtomically(path, safetensorsPieces(tensors, metadata))
}

/**
 * The bytes of a safetensors file, piece by piece; what cannot be written is refused before the first.
 * @throws TrimError `TRIMKV_DTYPE` or `TRIMKV_SHAPE` when the data is not of that type or size; `TRIMKV_OPTION` for a name or metadata the format
 *   does not allow
 */
export function safetensorsPieces(
  tensors: Readonly<Record<string, TensorToStream>>,
  metadata: Readonly<Record<string, string>>,
): AsyncIterable<ArrayBufferView> {
  const ordered = Object.entries(tensors).sort(byAlignment)
  for (const [name, tensor] of ordered) {
    if (name === '__metadata__') fail('TRIMKV_OPTION', 'a tensor cannot be named __metadata__ in safetensors')
    checkTensorToWrite(name, tensor)
  }
  const entries = ordered.map(([name, tensor]) => {
    const byteLength = storedBytes(tensor)!
    const shape = isQuantised(tensor) ? [byteLength] : tensor.shape
    return { name, fileDtype: fileDtypeOf[tensor.dtype], shape, byteLength }
  })
  const quantised = quantisedMetadata(ordered)
  const alignment = Object.keys(quantised).length > 0 ? 64 : 8
  const header = encodeHeader(entries, { ...metadata, ...quantised }, alignment)
  return piecesOf(header, ordered)
}

async function* piecesOf(header: Buffer, tensors: readonly NamedTensor[]): AsyncGenerator<ArrayBufferView> {
  yield header
  for (const [name, tensor] of tensors) {
    const { data } = tensor
    if (typeof data !== 'function') {
      yield data
      continue
    }
    let bytes = 0
    for await (const piece of data()) {
      bytes += piece.byteLength
      yield piece
    }
    if (bytes !== storedBytes(tensor)) {
      fail('TRIMKV_SHAPE', `tensor ${JSON.stringify(name)} came as ${bytes} bytes`, {
        why: [`expected ${storedBytes(tensor)}`],
      })
    }
  }
}

type NamedTensor = readonly [name: string, tensor: TensorToStream]

/** Wide elements first, so that no element needs padding before it; then by name, so that equal input gives equal files. */
const byAlignment = ([nameA, a]: NamedTensor, [nameB, b]: NamedTensor): number =>
  alignmentOf(b) - alignmentOf(a) || (nameA < nameB ? -1 : 1)

/** Panels of quantised rows are read by whole vectors; their size leaves what follows aligned. */
const alignmentOf = (tensor: TensorToStream): number => (isQuantised(tensor) ? 64 : dtypeBytes(tensor.dtype))

/** A tensor as the header lists it. */
export interface HeaderEntry {
  readonly name: string
  /** Element type as safetensors names it. */
  readonly fileDtype: string
  readonly shape: readonly number[]
  readonly byteLength: number
}

/**
 * The bytes before the data of a safetensors file whose tensors follow in this order.
 * @param alignment of the first tensor, in bytes
 * @throws TrimError `TRIMKV_OPTION` for metadata that is not text, and for a header over the limit of the format
 */
export function encodeHeader(
  tensors: readonly HeaderEntry[],
  metadata: Readonly<Record<string, string>>,
  alignment = 8,
): Buffer {
  let offset = 0
  const entries = tensors.map(({ name, fileDtype, shape, byteLength }) => {
    const begin = offset
    offset += byteLength
    return [name, { dtype: fileDtype, shape, data_offsets: [begin, offset] }] as const
  })
  const hasMetadata = Object.keys(metadata).length > 0
  if (Object.values(metadata).some((text) => typeof text !== 'string')) {
    fail('TRIMKV_OPTION', 'metadata of safetensors is text: every value must be a string')
  }
  const json = JSON.stringify(
    Object.fromEntries([...(hasMetadata ? [['__metadata__', metadata] as const] : []), ...entries]),
  )
  const text = Buffer.from(json)
  const length = Math.ceil((headerStart + text.length) / alignment) * alignment - headerStart
  if (length > largestHeader)
    fail('TRIMKV_OPTION', `the header would be ${length} bytes, over ${largestHeader}`)
  const bytes = Buffer.alloc(headerStart + length, ' ')
  bytes.writeBigUInt64LE(BigInt(length))
  text.copy(bytes, headerStart)
  return bytes
}
