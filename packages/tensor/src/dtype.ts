/** Element types. `f32` is what every op computes in; `bf16` and `f16` are storage formats of weights and KV caches. */
export const dtypes = {
  f32: { id: 0, bytes: 4 },
  bf16: { id: 1, bytes: 2 },
  f16: { id: 2, bytes: 2 },
  i32: { id: 3, bytes: 4 },
} as const

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
