import { readTensorBytes, readTensorData, readTensorIntegers } from '../../src/read-tensor.ts'
import type { TensorListing } from '../../src/tensor-listing.ts'

/** Reads every tensor of a listing, as what it is. @throws unless each lies inside its file and gives as many elements as its shape says */
export async function readListing({ tensors, files }: TensorListing): Promise<void> {
  const sizes = new Map(files.map(({ path, size }) => [path, size]))
  for (const entry of tensors.values()) {
    const { file, byteOffset, byteLength, shape, dtype } = entry
    if (byteOffset + byteLength > (sizes.get(file) ?? -1)) throw new Error(`${entry.name} leaves its file`)
    if (dtype === undefined) await readTensorBytes(entry)
    else {
      const read = dtype === 'i32' ? readTensorIntegers : readTensorData
      const { length } = await read(entry)
      if (length !== shape.reduce((count, size) => count * size, 1))
        throw new Error(`${entry.name}: ${length} elements`)
    }
  }
}
