import type { Ops, TensorLike, TensorSpec, ViewOps } from '@trimkv/tensor'

/** Where a cache keeps its tensors, and how the host reaches them. */
export interface Storage<T extends TensorLike> {
  /** Views outside a program, for reading and resetting single seats. */
  readonly views: Pick<ViewOps<T>, 'slice'>
  /** Zeros, all memory committed. */
  zeros(spec: TensorSpec): T
  /** Zeros whose pages are committed when first written: for caches that grow in place. */
  reserve(spec: TensorSpec): T
  /** Row-major copy; bf16 and f16 are widened. */
  read(tensor: T): Float32Array | Int32Array
  /** Overwrites all elements, row-major. */
  write(tensor: T, values: Float32Array | Int32Array): void
  dispose(tensor: T): void
  /** Memory of reserved tensors is taken and given back in pieces of so many bytes. */
  readonly pageBytes: number
  /** Zeros the slots past each head's `count` [B, H] in a table [B, H, cap(, D)] and frees whole pages of them. */
  clearSlots(table: T, count: T): void
}

/** What a cache asks of a native tensor. */
export interface StoredTensor extends TensorLike, Disposable {
  read(): Float32Array | Int32Array
  write(values: Float32Array | Int32Array): void
}

/** What a cache asks of a device. */
export interface StorageDevice<T extends TensorLike> {
  readonly ops: Ops<T>
  readonly pageBytes: number
  zeros(spec: TensorSpec): T
  reserve(spec: TensorSpec): T
}

/** Keeps a cache on a device. */
export const deviceStorage = <T extends StoredTensor>(device: StorageDevice<T>): Storage<T> => ({
  views: device.ops,
  zeros: (spec) => device.zeros(spec),
  reserve: (spec) => device.reserve(spec),
  read: (tensor) => tensor.read(),
  write: (tensor, values) => tensor.write(values),
  dispose: (tensor) => tensor[Symbol.dispose](),
  pageBytes: device.pageBytes,
  clearSlots: (data, count) => device.ops.clearSlots({ data, count }),
})
