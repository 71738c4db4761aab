import { type DType, elementCount } from './dtype.ts'
import { fail } from './errors.ts'
import type { TensorLike } from './ops.ts'

/** What a tensor needs from the device it lives on. */
export interface TensorMemory {
  read(handle: number, into: Float32Array | Int32Array): void
  write(handle: number, values: Float32Array | Int32Array): void
  free(handle: number): void
}

export interface TensorLayout {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly strides: readonly number[]
}

type Lease = { readonly memory: TensorMemory; readonly handle: number }

/** Frees what was never disposed. A backstop only: it runs when the garbage collector does. */
const forgotten = new FinalizationRegistry<Lease>(({ memory, handle }) => memory.free(handle))

const gone = {
  disposed: 'it was disposed',
  recording: 'it belongs to a program that is still being recorded',
  intermediate:
    'it exists only while its program runs: return it from the recording, or name it in `call`, to read it',
} as const

/**
 * A window on memory of a device: dtype, shape and strides here, the elements behind a handle.
 * Views share storage; the storage is freed with its last tensor and last program.
 */
export class Tensor implements TensorLike, Disposable {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly #memory: TensorMemory
  #handle = 0
  #gone: keyof typeof gone = 'recording'

  /** @internal Tensors come from a device, a program or another tensor. */
  constructor(memory: TensorMemory, layout: TensorLayout, handle?: number) {
    this.#memory = memory
    this.dtype = layout.dtype
    this.shape = layout.shape
    this.strides = layout.strides
    if (handle !== undefined) this.bind(handle)
  }

  /** Number the device knows the tensor by. @throws TRIMKV_HANDLE when there is nothing behind it */
  get handle(): number {
    if (this.#handle === 0) {
      fail('TRIMKV_HANDLE', `the tensor [${this.shape.join(', ')}] is not available`, {
        why: [gone[this.#gone]],
      })
    }
    return this.#handle
  }

  /** @internal Whether the tensor lives on this device. */
  livesIn(memory: TensorMemory): boolean {
    return this.#memory === memory
  }

  /** @internal Gives a recorded tensor its handle; `undefined` when it will never have one. */
  bind(handle: number | undefined): void {
    if (handle === undefined) {
      this.#gone = 'intermediate'
      return
    }
    this.#handle = handle
    forgotten.register(this, { memory: this.#memory, handle }, this)
  }

  /** Row-major copy of the elements: i32 as they are, floats of any dtype as f32. */
  read(): Float32Array | Int32Array {
    const count = elementCount(this.shape)
    return this.readInto(this.dtype === 'i32' ? new Int32Array(count) : new Float32Array(count))
  }

  /**
   * The same into an array that is there already: for large results read again and again, whose memory the system would
   * have to find each time.
   * @returns the array
   * @throws TRIMKV_SHAPE when it has another number of elements, TRIMKV_DTYPE when it has another type
   */
  readInto<A extends Float32Array | Int32Array>(into: A): A {
    const count = elementCount(this.shape)
    if (into.length !== count)
      fail('TRIMKV_SHAPE', `a tensor of ${count} elements cannot be read into ${into.length}`)
    if (into instanceof Int32Array !== (this.dtype === 'i32'))
      fail('TRIMKV_DTYPE', `a tensor of ${this.dtype} cannot be read into ${into.constructor.name}`)
    this.#memory.read(this.handle, into)
    return into
  }

  /**
   * Overwrites all elements, given in row-major order; floats are rounded to nearest even.
   * @throws TRIMKV_SHAPE when the number of values differs, TRIMKV_OPTION for non-integers in an i32 tensor,
   *   TRIMKV_HANDLE when the tensor is read-only or gone
   */
  write(values: ArrayLike<number>): void {
    this.#memory.write(this.handle, this.dtype === 'i32' ? toInt32(values) : toFloat32(values))
  }

  [Symbol.dispose](): void {
    if (this.#handle === 0) return
    forgotten.unregister(this)
    const handle = this.#handle
    this.#handle = 0
    this.#gone = 'disposed'
    this.#memory.free(handle)
  }
}

const toFloat32 = (values: ArrayLike<number>): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values)

function toInt32(values: ArrayLike<number>): Int32Array {
  if (values instanceof Int32Array) return values
  return Int32Array.from(values, (value, index) => {
    if (value !== (value | 0))
      fail('TRIMKV_OPTION', `value ${index} of an i32 tensor is ${value}`, {
        why: ['expected an integer of 32 bits'],
      })
    return value
  })
}
