import { availableParallelism } from 'node:os'
import { dtypeBytes, elementCount, type TensorSpec } from './dtype.ts'
import { fail } from './errors.ts'
import { FileMapping } from './file-mapping.ts'
import { type Isa, NativeDevice } from './native-device.ts'
import type { AnyOp } from './op.ts'
import {
  type Backend,
  type BackendCall,
  contiguousStrides,
  createOps,
  type Ops,
  type ViewSpec,
} from './ops.ts'
import { type Program, recordProgram } from './program.ts'
import { isQuantised, quantise, quantisedBytes } from './quantised.ts'
import { track } from './scope.ts'
import { Tensor } from './tensor.ts'

const maxThreads = 1024

/** How a device computes. */
export interface DeviceOptions {
  /** Threads that compute, the calling one included. Default: the processors this process may use. */
  readonly threads?: number
  /** Instruction set. Default: the TRIMKV_CPU environment variable, else the best this machine has. */
  readonly isa?: Isa
}

/** A CPU device: a thread pool, an engine thread, and the tensors they work on. */
export class Device implements Disposable {
  readonly threads: number
  readonly isa: Isa
  /** Smallest amount of memory that the system takes and gives back: reserved tensors take so much at a time. */
  readonly pageBytes: number
  /** Operators that run at once and block until they are done. */
  readonly ops: Ops<Tensor>
  readonly #native: NativeDevice

  constructor(options: DeviceOptions = {}) {
    this.threads = options.threads ?? availableParallelism()
    if (!Number.isInteger(this.threads) || this.threads < 1 || this.threads > maxThreads) {
      fail('TRIMKV_OPTION', `threads must be an integer from 1 to ${maxThreads}, got ${this.threads}`)
    }
    this.#native = new NativeDevice(this.threads, options.isa)
    this.isa = this.#native.isa
    this.pageBytes = this.#native.pageBytes
    this.ops = createOps(this.#eager())
  }

  /** A tensor with these values, given in row-major order, rounded to what the dtype can hold. */
  tensor(values: ArrayLike<number>, spec: TensorSpec): Tensor {
    if (isQuantised(spec)) return this.storedTensor(quantise(values, spec), spec)
    const tensor = this.empty(spec)
    try {
      tensor.write(values)
    } catch (error) {
      tensor[Symbol.dispose]()
      throw error
    }
    return tensor
  }

  /**
   * A read-only tensor from bytes as its dtype is stored, which are copied.
   * @throws TRIMKV_SHAPE when they are not as many as the shape asks for
   */
  storedTensor(bytes: Uint8Array<ArrayBuffer>, spec: TensorSpec): Tensor {
    const expected = isQuantised(spec)
      ? quantisedBytes(spec)
      : elementCount(spec.shape) * dtypeBytes(spec.dtype)
    if (bytes.length !== expected) {
      fail(
        'TRIMKV_SHAPE',
        `a ${spec.dtype} tensor [${spec.shape.join(', ')}] has ${expected} bytes, got ${bytes.length}`,
      )
    }
    return this.#wrap(spec, this.#native.createFrom(bytes, spec))
  }

  /** A tensor with undefined contents. */
  empty(spec: TensorSpec): Tensor {
    return this.#wrap(spec, this.#native.create('empty', spec))
  }

  zeros(spec: TensorSpec): Tensor {
    return this.#wrap(spec, this.#native.create('zeros', spec))
  }

  /** A tensor of zeros whose memory the system provides page by page as it is written: for caches that fill up slowly. */
  reserve(spec: TensorSpec): Tensor {
    return this.#wrap(spec, this.#native.create('reserve', spec))
  }

  /**
   * Maps a whole file, read-only.
   * @throws TRIMKV_NOT_FOUND, TRIMKV_FORMAT when the file has another size than expected
   */
  mapFile(path: string, expectedBytes: number): FileMapping {
    return new FileMapping(this.#native, path, expectedBytes)
  }

  /**
   * Records the ops that `build` calls, to be run later. Every op is validated now. Tensors made by recorded ops share
   * a slab and can be read after a run only when they are part of what `build` returns, or inside a `call` that names
   * them; zeros made while recording are filled once and keep what ops write into them.
   * @throws TRIMKV_* when an op is invalid; then nothing was made
   */
  record<R>(build: (ops: Ops<Tensor>) => R): Program<R> {
    return recordProgram(this.#native, build)
  }

  /** Number of tensors that were made and not yet freed, views included. */
  liveTensors(): number {
    return this.#native.liveTensors()
  }

  /** Bytes held by tensors and programs; file mappings do not count, reservations count in full. */
  bytes(): number {
    return this.#native.usedBytes()
  }

  /** Frees everything on the device. Runs under way finish first; nothing new is accepted. */
  [Symbol.dispose](): void {
    this.#native.dispose()
  }

  #wrap({ dtype, shape }: TensorSpec, handle: number): Tensor {
    return track(
      new Tensor(this.#native, { dtype, shape: [...shape], strides: contiguousStrides(shape) }, handle),
    )
  }

  #view(tensor: Tensor, view: ViewSpec): Tensor {
    const handle = this.#native.view(this.#handleOf(tensor), view)
    return track(
      new Tensor(this.#native, { dtype: tensor.dtype, shape: view.shape, strides: view.strides }, handle),
    )
  }

  #handleOf(tensor: Tensor | undefined): number {
    if (!tensor) return 0
    if (!tensor.livesIn(this.#native)) fail('TRIMKV_HANDLE', 'the tensor belongs to another device')
    return tensor.handle
  }

  #eager(): Backend<Tensor> {
    return {
      run: (op, call) => this.#run(op, call),
      view: (tensor, view) => this.#view(tensor, view),
      zeros: (spec) => this.zeros(spec),
      call: (fn) => fn(),
    }
  }

  #run(op: AnyOp, call: BackendCall<Tensor>): Record<string, Tensor> {
    const outputs: Record<string, Tensor> = {}
    try {
      const handles = Object.keys(op.slots).map((slot) => this.#handleOf(call.inputs[slot]))
      for (const name of op.outputs as string[]) {
        outputs[name] = this.empty(call.outputs[name] as TensorSpec)
        handles.push(outputs[name].handle)
      }
      this.#native.submit({ op, handles, scalars: op.scalars(call.attrs) })
    } catch (error) {
      for (const output of Object.values(outputs)) output[Symbol.dispose]()
      throw error
    }
    return outputs
  }
}

/**
 * Opens a CPU device.
 * @throws TRIMKV_NATIVE_MISSING, TRIMKV_OPTION, TRIMKV_UNSUPPORTED
 */
export const createDevice = (options?: DeviceOptions): Device => new Device(options)
