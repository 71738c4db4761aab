import { dtypeBytes, fail } from '@trimkv/tensor'
import { writeAtomically } from './atomic-write.ts'
import { headerStart, largestHeader } from './safetensors-header.ts'
import { fileDtypeOf } from './tensor-listing.ts'
import { checkTensorToWrite, type TensorsToWrite, type TensorToWrite } from './tensor-to-write.ts'

/**
 * Writes a safetensors file, atomically as {@link writeAtomically} does. Tensor data is aligned to its element size.
 * @throws TrimError `TRIMKV_DTYPE` or `TRIMKV_SHAPE` when the data is not of that type or size; `TRIMKV_OPTION` for a name or metadata the format
 *   does not allow; `TRIMKV_DISK` or `TRIMKV_IO` when writing fails (nothing is left behind)
 */
export async function writeSafetensors(
  path: string,
  tensors: TensorsToWrite,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const ordered = Object.entries(tensors).sort(byAlignment)
  for (const [name, tensor] of ordered) {
    if (name === '__metadata__') fail('TRIMKV_OPTION', 'a tensor cannot be named __metadata__ in safetensors')
    checkTensorToWrite(name, tensor)
  }
  const entries = ordered.map(([name, { dtype, shape, data }]) => ({
    name,
    fileDtype: fileDtypeOf[dtype],
    shape,
    byteLength: data.byteLength,
  }))
  const header = encodeHeader(entries, metadata)
  await writeAtomically(path, [header, ...ordered.map(([, { data }]) => data)])
}

type NamedTensor = readonly [name: string, tensor: TensorToWrite]

/** Wide elements first, so that no element needs padding before it; then by name, so that equal input gives equal files. */
const byAlignment = ([nameA, a]: NamedTensor, [nameB, b]: NamedTensor): number =>
  dtypeBytes(b.dtype) - dtypeBytes(a.dtype) || (nameA < nameB ? -1 : 1)

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
 * @throws TrimError `TRIMKV_OPTION` for metadata that is not text, and for a header over the limit of the format
 */
export function encodeHeader(
  tensors: readonly HeaderEntry[],
  metadata: Readonly<Record<string, string>>,
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
  const length = Math.ceil(text.length / 8) * 8
  if (length > largestHeader)
    fail('TRIMKV_OPTION', `the header would be ${length} bytes, over ${largestHeader}`)
  const bytes = Buffer.alloc(headerStart + length, ' ')
  bytes.writeBigUInt64LE(BigInt(length))
  text.copy(bytes, headerStart)
  return bytes
}
