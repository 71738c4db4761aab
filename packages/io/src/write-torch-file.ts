import { createHash } from 'node:crypto'
import { basename, parse } from 'node:path'
import { writeAtomically } from './atomic-write.ts'
import { checkTensorToWrite, type TensorsToWrite } from './tensor-to-write.ts'
import { pickleTensors } from './torch-pickler.ts'
import { type ZipRecord, zipPieces } from './zip-pieces.ts'

/**
 * Writes a dictionary of tensors as `torch.save` does, byte for byte but for an id that torch derives with the hash of its
 * C++ library: the archive is named after the file, and the tensors keep their order. Atomic as {@link writeAtomically}.
 * @param tensors of f32, bf16, f16 or i32; under 4 GiB in all
 * @throws TrimError `TRIMKV_DTYPE` or `TRIMKV_SHAPE` when data is not of its type or size; `TRIMKV_UNSUPPORTED` when it is
 *   too large; `TRIMKV_DISK`, `TRIMKV_IO`
 * @see torch/serialization.py, `_save`
 */
export async function writeTorchFile(path: string, tensors: TensorsToWrite): Promise<void> {
  await writeAtomically(path, torchFilePieces(basename(path), tensors))
}

/** The bytes of such a file of this name, piece by piece; what cannot be written is refused before the first. */
export function torchFilePieces(name: string, tensors: TensorsToWrite): Iterable<ArrayBufferView> {
  const entries = Object.entries(tensors)
  for (const [tensorName, tensor] of entries) checkTensorToWrite(tensorName, tensor)
  const folder = parse(name).name
  const record = (part: string, data: string | NodeJS.ArrayBufferView): ZipRecord => ({
    name: `${folder}/${part}`,
    data: typeof data === 'string' ? Buffer.from(data) : data,
  })
  const records = [
    record('data.pkl', pickleTensors(entries)),
    record('.format_version', '1'),
    record('.storage_alignment', '64'),
    record('byteorder', 'little'),
    ...entries.map(([, { data }], i) => record(`data/${i}`, data)),
    record('version', '3\n'),
  ]
  const id = record('.data/serialization_id', serializationId(records))
  return zipPieces([...records, id])
}

/** Forty digits that equal content shares: twenty from the names, twenty from the data. */
function serializationId(records: readonly ZipRecord[]): string {
  const names = createHash('sha256')
  const contents = createHash('sha256')
  for (const { name, data } of records) {
    names.update(`${name}\n`)
    contents.update(data)
  }
  return [names, contents].map((hash) => String(hash.digest().readBigUInt64LE()).padStart(20, '0')).join('')
}
