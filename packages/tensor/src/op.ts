import type { DType, TensorSpec } from './dtype.ts'

/** How an op uses a tensor: read, read if given, or read and written in place. */
export type SlotKind = 'in' | 'optional' | 'inout' | 'optionalInout'

export type Slots = Readonly<Record<string, SlotKind>>

/** Tensors by slot name; optional slots may be left out. */
export type SlotValues<S extends Slots, T> = {
  readonly [K in keyof S as S[K] extends 'in' | 'inout' ? K : never]: T
} & {
  readonly [K in keyof S as S[K] extends 'in' | 'inout' ? never : K]?: T | undefined
}

/** One output called `out` is returned bare, several by name, none as nothing. */
export type OutputValues<Out extends string, T> = [Out] extends [never]
  ? // biome-ignore lint/suspicious/noConfusingVoidType: it is the return type of the op's function
    void
  : [Out] extends ['out']
    ? T
    : { readonly [K in Out]: T }

/** A tensor of the f64 reference: contiguous, row-major; `i32` values are held exactly as doubles. */
export interface RefArray {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly data: Float64Array
}

/** Work of one call, for FLOP and byte estimates. */
export interface OpCost {
  readonly flops: number
  readonly bytes: number
}

/**
 * One operator: its shape rule, its definition in f64 and how its attributes reach native code.
 * The native side receives the tensors in the order of `slots`, then `outputs`, then `scalars(attrs)`.
 */
export interface Op<S extends Slots, A, Out extends string> {
  readonly name: string
  /** Paper and equation, or reference file. */
  readonly source: string
  readonly slots: S
  readonly outputs: readonly Out[]
  /** Validates shapes and dtypes and gives those of the outputs. @throws TRIMKV_SHAPE, TRIMKV_DTYPE, TRIMKV_OPTION */
  readonly infer: (inputs: SlotValues<S, TensorSpec>, attrs: A) => { readonly [K in Out]: TensorSpec }
  readonly scalars: (attrs: A) => readonly number[]
  /** Plain loops in f64: what the op means. Writes `outputs` (zero-filled) and `inout` arrays. */
  readonly reference: (
    inputs: SlotValues<S, RefArray>,
    outputs: { readonly [K in Out]: RefArray },
    attrs: A,
  ) => void
  readonly cost?: (inputs: SlotValues<S, TensorSpec>, attrs: A) => OpCost
}

/** An op whose exact types do not matter to the caller (backends, tables, encoders). */
// biome-ignore lint/suspicious/noExplicitAny: a table of ops with different attribute types has no other common type
export type AnyOp = Op<any, any, any>
