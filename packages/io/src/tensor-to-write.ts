import { type DType, dtypeBytes, fail, isQuantised, quantisedBytes } from '@trimkv/tensor'
import { safeElementCount } from './tensor-listing.ts'

/** A tensor to write: row-major elements, in the bits of its element type. */
export interface TensorToWrite {
  readonly dtype: DType
  readonly shape: readonly number[]
  /**
   * `Float32Array` for f32, `Int32Array` for i32, `Uint16Array` of bits for bf16 and f16, `Uint8Array` for f8; or the bytes of
   * these, or of a quantised format.
   */
  readonly data: Float32Array | Int32Array | Uint16Array | Uint8Array
}

/** A tensor whose bytes may be made piece by piece, when their turn comes. */
export interface TensorToStream extends Omit<TensorToWrite, 'data'> {
  readonly data: TensorToWrite['data'] | (() => AsyncIterable<Uint8Array>)
}

/** Tensors of a file, by name. */
export type TensorsToWrite = Readonly<Record<string, TensorToWrite>>

const arrayOf = {
  f32: Float32Array,
  i32: Int32Array,
  bf16: Uint16Array,
  f16: Uint16Array,
  f8: Uint8Array,
  q8: Uint8Array,
  q4: Uint8Array,
} as const

/** @throws TrimError `TRIMKV_DTYPE` or `TRIMKV_SHAPE` when the data is not of that type or size */
export function checkTensorToWrite(name: string, tensor: TensorToStream): void {
  const { dtype, shape, data } = tensor
  if (typeof data === 'function') {
    storedBytes(tensor)
    return
  }
  if (!(data instanceof arrayOf[dtype] || data instanceof Uint8Array)) {
    fail('TRIMKV_DTYPE', `tensor ${JSON.stringify(name)} is ${dtype} and its data is not`, {
      why: [`expected ${arrayOf[dtype].name} or Uint8Array`],
      details: { name, dtype },
    })
  }
  const expected = storedBytes(tensor)
  if (data.byteLength === expected) return
  fail('TRIMKV_SHAPE', `tensor ${JSON.stringify(name)} has not the bytes of its shape`, {
    why: [
      `expected ${expected ?? 'a countable number of'} bytes for ${dtype} [${shape.join(', ')}]`,
      `got ${data.byteLength}`,
    ],
    details: { name, dtype, shape, expected, got: data.byteLength },
  })
}

/** Bytes of a tensor in a file; undefined where they cannot be counted. */
export function storedBytes({ dtype, shape }: Pick<TensorToWrite, 'dtype' | 'shape'>): number | undefined {
  const valid = shape.every((size) => Number.isSafeInteger(size) && size >= 0)
  const count = valid ? safeElementCount(shape) : undefined
  const spec = { dtype, shape }
  if (isQuantised(spec)) return quantisedBytes(spec)
  return count === undefined ? undefined : count * dtypeBytes(dtype)
}
