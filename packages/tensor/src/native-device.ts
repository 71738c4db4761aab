import { dtypes, type TensorSpec } from './dtype.ts'
import { type Command, CommandEncoder, encodeUses } from './encoder.ts'
import { fail } from './errors.ts'
import { loadNative, type NativeAddon } from './native.ts'
import { nativeError } from './native-error.ts'
import type { AnyOp } from './op.ts'
import { opTable } from './ops/index.ts'
import type { ViewSpec } from './ops.ts'
import type { TensorMemory } from './tensor.ts'

/** Instruction sets, by the number native code knows them by. */
const isas = ['baseline', 'avx2', 'avx512'] as const

/** Instruction set of the kernels. */
export type Isa = (typeof isas)[number]

/** Where the memory of a new tensor comes from: the order of `enum class Source` in native/binding. */
const sources = { empty: 0, zeros: 1, reserve: 2, slab: 3 } as const
export type Source = keyof typeof sources

/** Frees devices that were never disposed, once none of their tensors is left. */
const forgotten = new FinalizationRegistry<() => void>((free) => free())

let loaded: NativeAddon | undefined

function native(): NativeAddon {
  if (loaded) return loaded
  const addon = loadNative()
  addon.setup(nativeError, encodeUses(addon.opNames, opTable as unknown as Record<string, AnyOp>))
  loaded = addon
  return addon
}

/** Instruction sets that this machine can run, the best last. @throws TRIMKV_NATIVE_MISSING */
export const supportedIsas = (): readonly Isa[] => native().isas.map((number) => isas[number] as Isa)

/** The one place that reads TRIMKV_CPU. */
function chooseIsa(wanted: string | undefined = process.env.TRIMKV_CPU): Isa {
  const supported = supportedIsas()
  const isa = wanted ? supported.find((name) => name === wanted) : supported.at(-1)
  if (isa) return isa
  const isKnown = !wanted || (isas as readonly string[]).includes(wanted)
  return fail(
    isKnown ? 'TRIMKV_UNSUPPORTED' : 'TRIMKV_OPTION',
    `cannot use the instruction set ${wanted ?? 'baseline'}`,
    {
      why: [`this machine runs ${supported.join(', ') || 'none that the core is built for'}`],
    },
  )
}

/** The device as native code shows it: handles and command buffers, no tensors. */
export class NativeDevice implements TensorMemory {
  readonly isa: Isa
  readonly opNames: readonly string[]
  readonly pageBytes: number
  readonly #native: NativeAddon
  readonly #id: number
  readonly #encoder: CommandEncoder
  readonly #layout = new Float64Array(12)
  #isDisposed = false

  constructor(threads: number, isa: string | undefined) {
    this.#native = native()
    this.isa = chooseIsa(isa)
    this.#id = this.#native.deviceCreate(isas.indexOf(this.isa), threads)
    const { deviceDispose } = this.#native
    const id = this.#id
    forgotten.register(this, () => deviceDispose(id), this)
    this.opNames = this.#native.opNames
    this.pageBytes = this.#native.pageBytes
    this.#encoder = new CommandEncoder(this.opNames)
  }

  /** Memory for a contiguous tensor. @throws TRIMKV_OUT_OF_MEMORY, TRIMKV_SHAPE */
  create(source: Source, { dtype, shape }: TensorSpec): number {
    this.#setLayout(shape)
    return this.#native.tensorCreate(this.#id, sources[source], dtypes[dtype].id, shape.length, this.#layout)
  }

  /** A tensor from the bytes of its storage format. */
  createFrom(bytes: Uint8Array<ArrayBuffer>, spec: TensorSpec): number {
    const whole = bytes.byteLength % 4 === 0 && bytes.byteOffset % 4 === 0
    const words = new Int32Array(
      whole ? bytes.buffer : padded(bytes),
      whole ? bytes.byteOffset : 0,
      Math.ceil(bytes.byteLength / 4),
    )
    const slab = this.create('slab', { dtype: 'i32', shape: [words.length] })
    try {
      this.write(slab, words)
      return this.place(slab, spec, 0)
    } finally {
      this.free(slab)
    }
  }

  /** A window on the storage of a tensor. @throws TRIMKV_SHAPE when it reaches outside */
  view(base: number, { offset, shape, strides }: ViewSpec): number {
    this.#setLayout(shape, strides)
    return this.#native.tensorView(this.#id, base, offset, shape.length, this.#layout)
  }

  /** A contiguous tensor somewhere in a slab or file mapping. @throws TRIMKV_SHAPE when it reaches outside */
  place(storage: number, { dtype, shape }: TensorSpec, byteOffset: number): number {
    this.#setLayout(shape)
    return this.#native.tensorPlace(
      this.#id,
      storage,
      dtypes[dtype].id,
      byteOffset,
      shape.length,
      this.#layout,
    )
  }

  #setLayout(shape: readonly number[], strides: readonly number[] = []): void {
    if (shape.length > 6) fail('TRIMKV_SHAPE', `a tensor has at most 6 axes, got [${shape.join(', ')}]`)
    this.#layout.set(shape)
    this.#layout.set(strides, shape.length)
  }

  read(handle: number, into: Float32Array | Int32Array): void {
    this.#native.tensorRead(this.#id, handle, into)
  }

  write(handle: number, values: Float32Array | Int32Array): void {
    this.#native.tensorWrite(this.#id, handle, values)
  }

  /** Nothing happens when the device or the handle is already gone. */
  free(handle: number): void {
    if (!this.#isDisposed) this.#native.handleFree(this.#id, handle)
  }

  /** Handle of a file mapping. @throws TRIMKV_NOT_FOUND, TRIMKV_FORMAT when the size differs */
  mapFile(path: string, expectedBytes: number): number {
    return this.#native.mapFile(this.#id, path, expectedBytes)
  }

  /** Runs one op and waits for it. */
  submit(command: Command): void {
    this.#encoder.clear()
    this.#encoder.add(command)
    this.#native.submit(this.#id, this.#encoder.words, this.#encoder.scalars)
  }

  /** Id of a program. @throws TRIMKV_* when any of its ops is invalid; then nothing was made */
  createProgram({ words, scalars }: CommandEncoder): number {
    return this.#native.programCreate(this.#id, words, scalars)
  }

  /** `onCall` tells whether the callback worked; `onDone` comes last. Gives the id of the run. */
  runProgram(
    program: number,
    onCall: (index: number) => boolean,
    onDone: (failure: unknown) => void,
  ): number {
    return this.#native.programRun(this.#id, program, onCall, onDone)
  }

  runProgramSync(program: number, onCall: (index: number) => boolean): void {
    this.#native.programRunSync(this.#id, program, onCall)
  }

  abortRun(run: number): void {
    this.#native.programAbort(this.#id, run)
  }

  disposeProgram(program: number): void {
    this.#native.programDispose(this.#id, program)
  }

  liveTensors(): number {
    return this.#native.liveTensors(this.#id)
  }

  usedBytes(): number {
    return this.#native.usedBytes(this.#id)
  }

  dispose(): void {
    if (this.#isDisposed) return
    this.#isDisposed = true
    forgotten.unregister(this)
    this.#native.deviceDispose(this.#id)
  }
}

/** The bytes in whole words. */
function padded(bytes: Uint8Array): ArrayBuffer {
  const words = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  words.set(bytes)
  return words.buffer
}
