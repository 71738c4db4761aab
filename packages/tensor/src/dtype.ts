/**
 * Element types. `f32` is what every op computes in; `bf16`, `f16` and `f8` are storage formats of weights and KV caches, `q8` and
 * `q4` of weights alone: 32 elements share a scale, see `quantised.ts`, and their bytes are an average. `f8` is the E4M3 format
 * of the OCP 8-bit floating point specification: 3 bits of fraction, values beyond ±448 are stored as ±448, infinities and
 * NaN as NaN.
 */
export const dtypes = {
  f32: { id: 0, bytes: 4 },
  bf16: { id: 1, bytes: 2 },
  f16: { id: 2, bytes: 2 },
  i32: { id: 3, bytes: 4 },
  q8: { id: 4, bytes: 1.0625 },
  q4: { id: 5, bytes: 0.5625 },
  f8: { id: 6, bytes: 1 },
} as const

/** Element types: f32 is what is computed in, bf16 and f16 are storage, i32 holds ids and counts. */
export type DType = keyof typeof dtypes

/** Shape and element type of a tensor: all that a shape rule may look at. */
export interface TensorSpec {
  readonly dtype: DType
  readonly shape: readonly number[]
}

/** Bytes of one element; of a quantised one on average, with its share of the scale. */
export const dtypeBytes = (dtype: DType): number => dtypes[dtype].bytes

/** Number of elements of a shape; 1 for a scalar. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1)
