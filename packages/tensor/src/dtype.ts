/**
 * Element types. `f32` is what every op computes in; the others are storage formats of weights and KV caches. `f8` is the
 * E4M3 format of the OCP 8-bit floating point specification: 3 bits of fraction, values beyond ±448 are stored as ±448,
 * infinities and NaN as NaN.
 */
export const dtypes = {
  f32: { id: 0, bytes: 4 },
  bf16: { id: 1, bytes: 2 },
  f16: { id: 2, bytes: 2 },
  i32: { id: 3, bytes: 4 },
  f8: { id: 4, bytes: 1 },
} as const

/** Element types: f32 is what is computed in, bf16 and f16 are storage, i32 holds ids and counts. */
export type DType = keyof typeof dtypes

/** Shape and element type of a tensor: all that a shape rule may look at. */
export interface TensorSpec {
  readonly dtype: DType
  readonly shape: readonly number[]
}

/** Bytes of one element. */
export const dtypeBytes = (dtype: DType): number => dtypes[dtype].bytes

/** Number of elements of a shape; 1 for a scalar. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
