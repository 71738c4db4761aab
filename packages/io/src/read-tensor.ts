import { fail } from '@trimkv/tensor'
import { type FileReader, openFileReader } from './file-reader.ts'
import { widenBf16, widenF16 } from './half-precision.ts'
import type { TensorEntry } from './tensor-listing.ts'

/**
 * Reads a floating-point tensor into memory as f32. For small files and tests: weights are mapped, not read.
 * @param entry F32, or BF16 or F16, which are widened exactly
 * @returns its elements, row-major
 * @throws TrimError `TRIMKV_DTYPE` for another element type, `TRIMKV_FORMAT` when the file has become shorter
 */
export async function readTensorData(entry: TensorEntry): Promise<Float32Array> {
  await using reader = await openFileReader(entry.file)
  switch (entry.fileDtype) {
    case 'F32':
      return new Float32Array(await readBytes(reader, entry))
    case 'BF16':
      return widenBf16(new Uint16Array(await readBytes(reader, entry)))
    case 'F16':
      return widenF16(new Uint16Array(await readBytes(reader, entry)))
    default:
      return wrongDtype(entry, 'F32, BF16 or F16')
  }
}

/**
 * Reads the bytes of a tensor as they stand in the file, whatever its element type.
 * @throws TrimError `TRIMKV_FORMAT` when the file has become shorter
 */
export async function readTensorBytes(entry: TensorEntry): Promise<Uint8Array> {
  await using reader = await openFileReader(entry.file)
  return new Uint8Array(await readBytes(reader, entry))
}

/**
 * Reads an integer tensor into memory.
 * @param entry I32, or I64 with values that fit 32 bits
 * @throws TrimError `TRIMKV_DTYPE` for another element type or a value out of range
 */
export async function readTensorIntegers(entry: TensorEntry): Promise<Int32Array> {
  await using reader = await openFileReader(entry.file)
  switch (entry.fileDtype) {
    case 'I32':
      return new Int32Array(await readBytes(reader, entry))
    case 'I64':
      return narrow(new BigInt64Array(await readBytes(reader, entry)), entry)
    default:
      return wrongDtype(entry, 'I32 or I64')
  }
}

async function readBytes(reader: FileReader, { byteOffset, byteLength }: TensorEntry): Promise<ArrayBuffer> {
  const bytes = new Uint8Array(byteLength)
  await reader.readInto(bytes, byteOffset)
  return bytes.buffer
}

function narrow(wide: BigInt64Array, entry: TensorEntry): Int32Array {
  const outside = wide.find((element) => BigInt.asIntN(32, element) !== element)
  if (outside !== undefined) wrongDtype(entry, `I32 values, and one is ${outside}`)
  return Int32Array.from(wide, Number)
}

function wrongDtype({ file, name, fileDtype }: TensorEntry, expected: string): never {
  return fail('TRIMKV_DTYPE', `${file}: tensor ${JSON.stringify(name)} cannot be read here`, {
    why: [`expected ${expected}`, `got ${fileDtype}`],
    details: { file, name, expected, got: fileDtype },
  })
}
