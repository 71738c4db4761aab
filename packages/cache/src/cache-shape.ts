import { dtypeBytes } from '@trimkv/tensor'

/** The sizes of a model that its cache depends on. */
export interface CacheShape {
  readonly layers: number
  readonly queryHeads: number
  /** Key/value heads; divides `queryHeads`. */
  readonly kvHeads: number
  readonly headDim: number
  /** Width W of the hidden state; needed by policies that read it. */
  readonly hiddenSize?: number
}

/** Formats that keys and values can be stored in. */
export const kvDtypes = ['f32', 'bf16', 'f16', 'f8'] as const

/** Storage format of keys and values. */
export type KvDType = (typeof kvDtypes)[number]

/** Bytes of the keys and values of one token in all layers and heads. */
export const tokenKvBytes = (shape: CacheShape, kvDtype: KvDType): number =>
  shape.layers * shape.kvHeads * 2 * shape.headDim * dtypeBytes(kvDtype)

/** Bytes one token takes in all layers and heads: keys, values and its i32 index. */
export const tokenBytes = (shape: CacheShape, kvDtype: KvDType): number =>
  tokenKvBytes(shape, kvDtype) + shape.layers * shape.kvHeads * 4
