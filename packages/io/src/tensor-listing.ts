import type { DType } from '@trimkv/tensor'

/** Element types of tensor files, as safetensors names them. */
export type FileDtype =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'F8_E4M3'
  | 'F8_E5M2'
  | 'F8_E8M0'
  | 'F6_E2M3'
  | 'F6_E3M2'
  | 'F4'
  | 'C64'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL'

/** Element types a file may hold, as safetensors names them: bits per element, and ours where it is the same. */
export const fileDtypes: Readonly<Record<FileDtype, { readonly bits: number; readonly dtype?: DType }>> = {
  F64: { bits: 64 },
  F32: { bits: 32, dtype: 'f32' },
  F16: { bits: 16, dtype: 'f16' },
  BF16: { bits: 16, dtype: 'bf16' },
  F8_E4M3: { bits: 8, dtype: 'f8' },
  F8_E5M2: { bits: 8 },
  F8_E8M0: { bits: 8 },
  F6_E2M3: { bits: 6 },
  F6_E3M2: { bits: 6 },
  F4: { bits: 4 },
  C64: { bits: 64 },
  I64: { bits: 64 },
  I32: { bits: 32, dtype: 'i32' },
  I16: { bits: 16 },
  I8: { bits: 8 },
  U64: { bits: 64 },
  U32: { bits: 32 },
  U16: { bits: 16 },
  U8: { bits: 8 },
  BOOL: { bits: 8 },
}

export const isFileDtype = (name: unknown): name is FileDtype =>
  typeof name === 'string' && Object.hasOwn(fileDtypes, name)

/** Our element type for that of a file; undefined where no op takes it. */
export function dtypeOf(fileDtype: FileDtype): DType | undefined {
  return fileDtypes[fileDtype].dtype
}

/** The name of our element type in a file. Quantised weights stand there as bytes, and the metadata tells what they are. */
export const fileDtypeOf: Readonly<Record<DType, FileDtype>> = {
  f32: 'F32',
  bf16: 'BF16',
  f16: 'F16',
  i32: 'I32',
  f8: 'F8_E4M3',
  q8: 'U8',
  q4: 'U8',
}

/** One tensor in a file: contiguous, row-major, little-endian. Nothing of it has been read. */
export interface TensorEntry {
  readonly name: string
  /** Element type of our tensors; undefined for one that only {@link TensorEntry.fileDtype} names. */
  readonly dtype: DType | undefined
  readonly fileDtype: FileDtype | 'Q8_0' | 'Q4_0'
  /** `[]` for a scalar. */
  readonly shape: readonly number[]
  /** The file that holds the bytes. */
  readonly file: string
  /** From the start of the file. A multiple of the element size in files of careful writers only. */
  readonly byteOffset: number
  readonly byteLength: number
  /** Where the file keeps a row of the tensor; absent where in order. */
  readonly fileRow?: (row: number) => number
}

/** What one or several tensor files hold; enough to map them into memory. */
export interface TensorListing {
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** Free text of the writer, for example `{ format: 'pt' }`. */
  readonly metadata: Readonly<Record<string, string>>
  readonly files: readonly { readonly path: string; readonly size: number }[]
}

/** Product of `shape` where it is a safe integer, else undefined. */
export function safeElementCount(shape: readonly number[]): number | undefined {
  if (shape.includes(0)) return 0
  let count = 1
  for (const size of shape) {
    count *= size
    if (!Number.isSafeInteger(count)) return undefined
  }
  return count
}
