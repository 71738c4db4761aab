import type { TensorSpec } from './dtype.ts'
import type { NativeDevice } from './native-device.ts'
import { contiguousStrides } from './ops.ts'
import { track } from './scope.ts'
import { Tensor } from './tensor.ts'

const forgotten = new FinalizationRegistry<() => void>((free) => free())

/**
 * A file mapped into memory, read-only. Its pages are shared with other processes and come from disk when first read.
 * The file must not be truncated while it is mapped: reading beyond its end would kill the process.
 */
export class FileMapping implements Disposable {
  readonly bytes: number
  readonly #device: NativeDevice
  readonly #handle: number

  /** @internal See `Device.mapFile`. */
  constructor(device: NativeDevice, path: string, expectedBytes: number) {
    const handle = device.mapFile(path, expectedBytes)
    this.#device = device
    this.#handle = handle
    this.bytes = expectedBytes
    forgotten.register(this, () => device.free(handle), this)
  }

  /**
   * A read-only tensor on the file's bytes, little-endian; any offset will do.
   * @throws TRIMKV_SHAPE when it does not lie inside the file
   */
  tensor(spec: TensorSpec, byteOffset: number): Tensor {
    const handle = this.#device.place(this.#handle, spec, byteOffset)
    const layout = { dtype: spec.dtype, shape: [...spec.shape], strides: contiguousStrides(spec.shape) }
    return track(new Tensor(this.#device, layout, handle))
  }

  /** Lets go of the file; it stays mapped until its last tensor is freed. */
  [Symbol.dispose](): void {
    forgotten.unregister(this)
    this.#device.free(this.#handle)
  }
}
