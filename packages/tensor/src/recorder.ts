import { dtypeBytes, elementCount, type TensorSpec } from './dtype.ts'
import { CommandEncoder } from './encoder.ts'
import { fail } from './errors.ts'
import type { NativeDevice } from './native-device.ts'
import type { AnyOp } from './op.ts'
import { type Backend, type BackendCall, contiguousStrides, type ViewSpec } from './ops.ts'
import { reachableTensors } from './reachable-tensors.ts'
import { type Lifetime, planSlab } from './slab-plan.ts'
import { Tensor } from './tensor.ts'

/** Memory of an op's output, shared by all views of it. */
interface Buffer {
  readonly spec: TensorSpec
  readonly first: number
  last: number
}

/** A tensor of the recording that has no memory yet: a window on a buffer. */
interface Virtual {
  readonly buffer: Buffer
  readonly view: ViewSpec
}

interface RecordedOp {
  readonly op: AnyOp
  readonly tensors: readonly (Tensor | undefined)[]
  readonly scalars: readonly number[]
}

/** What a recording comes to: a native program and all that has to be freed with it. */
export interface Recorded {
  readonly id: number
  readonly bytes: number
  readonly callbacks: readonly (() => void)[]
  readonly owned: readonly Tensor[]
}

const byteSize = ({ dtype, shape }: TensorSpec): number => elementCount(shape) * dtypeBytes(dtype)

/** Writes ops down instead of running them, then gives every intermediate a place in one slab. */
export class Recorder implements Backend<Tensor> {
  readonly #device: NativeDevice
  /** An op, or the callback with this index. */
  readonly #commands: (RecordedOp | number)[] = []
  readonly #callbacks: (() => void)[] = []
  readonly #virtual = new Map<Tensor, Virtual>()
  /** Tensors whose elements are read from outside an op. */
  readonly #kept = new Set<Tensor>()
  readonly #owned: Tensor[] = []
  #ownedBytes = 0

  constructor(device: NativeDevice) {
    this.#device = device
  }

  run(op: AnyOp, call: BackendCall<Tensor>): Record<string, Tensor> {
    const inputs = Object.keys(op.slots).map((slot) => call.inputs[slot])
    for (const input of inputs) if (input) this.#use(input)
    const outputs = Object.entries(call.outputs).map(([name, spec]) => [name, this.#output(spec)] as const)
    const tensors = [...inputs, ...outputs.map(([, tensor]) => tensor)]
    this.#commands.push({ op, tensors, scalars: op.scalars(call.attrs) })
    return Object.fromEntries(outputs)
  }

  view(tensor: Tensor, view: ViewSpec): Tensor {
    const layout = { dtype: tensor.dtype, shape: view.shape, strides: view.strides }
    const base = this.#virtual.get(tensor)
    if (!base)
      return this.#own(new Tensor(this.#device, layout, this.#device.view(this.#handleOf(tensor), view)))
    const made = new Tensor(this.#device, layout)
    this.#virtual.set(made, {
      buffer: base.buffer,
      view: { ...view, offset: base.view.offset + view.offset },
    })
    return made
  }

  zeros(spec: TensorSpec): Tensor {
    const layout = { dtype: spec.dtype, shape: [...spec.shape], strides: contiguousStrides(spec.shape) }
    const tensor = this.#own(new Tensor(this.#device, layout, this.#device.create('zeros', spec)))
    this.#ownedBytes += byteSize(spec)
    return tensor
  }

  call(fn: () => void, reads: readonly Tensor[] = []): void {
    for (const tensor of reads) {
      this.#use(tensor)
      this.#kept.add(tensor)
    }
    this.#commands.push(this.#callbacks.length)
    this.#callbacks.push(fn)
  }

  /** Frees what the recording has made so far. */
  discard(): void {
    for (const tensor of this.#owned) tensor[Symbol.dispose]()
  }

  /** Plans the slab and validates every op; `result` stays readable between runs. */
  finish(result: unknown): Recorded {
    for (const tensor of reachableTensors(result)) {
      const recorded = this.#virtual.get(tensor)
      if (!recorded) continue
      recorded.buffer.last = Number.POSITIVE_INFINITY
      this.#kept.add(tensor)
    }
    const handles = new Map<Tensor, number>()
    try {
      const bytes = this.#place(handles)
      const id = this.#compile(handles)
      this.#hand(handles)
      return { id, bytes: bytes + this.#ownedBytes, callbacks: this.#callbacks, owned: this.#owned }
    } finally {
      for (const handle of handles.values()) this.#device.free(handle)
    }
  }

  /** Gives every virtual tensor a handle on the slab. */
  #place(handles: Map<Tensor, number>): number {
    const buffers = [...new Set([...this.#virtual.values()].map(({ buffer }) => buffer))]
    const { offsets, bytes } = planSlab(
      buffers.map(({ spec, first, last }): Lifetime => ({ bytes: byteSize(spec), first, last })),
    )
    const slab = this.#device.create('slab', { dtype: 'i32', shape: [bytes / 4] })
    const bases: number[] = []
    try {
      for (const [index, { spec }] of buffers.entries())
        bases.push(this.#device.place(slab, spec, offsets[index]!))
      const baseOf = new Map(buffers.map((buffer, index) => [buffer, bases[index]!]))
      for (const [tensor, { buffer, view }] of this.#virtual)
        handles.set(tensor, this.#device.view(baseOf.get(buffer)!, view))
    } finally {
      for (const handle of [slab, ...bases]) this.#device.free(handle)
    }
    return bytes
  }

  #compile(handles: ReadonlyMap<Tensor, number>): number {
    const encoder = new CommandEncoder(this.#device.opNames)
    const handleOf = (tensor: Tensor | undefined): number =>
      tensor ? (handles.get(tensor) ?? this.#handleOf(tensor)) : 0
    for (const command of this.#commands) {
      if (typeof command === 'number') encoder.addCall(command)
      else encoder.add({ op: command.op, handles: command.tensors.map(handleOf), scalars: command.scalars })
    }
    return this.#device.createProgram(encoder)
  }

  /** Moves the handles of kept tensors into the tensors. */
  #hand(handles: Map<Tensor, number>): void {
    for (const [tensor, handle] of handles) {
      if (!this.#kept.has(tensor)) {
        tensor.bind(undefined)
        continue
      }
      tensor.bind(handle)
      this.#own(tensor)
      handles.delete(tensor)
    }
  }

  #own(tensor: Tensor): Tensor {
    this.#owned.push(tensor)
    return tensor
  }

  #output(spec: TensorSpec): Tensor {
    const at = this.#commands.length
    const view = { shape: [...spec.shape], strides: contiguousStrides(spec.shape), offset: 0 }
    const tensor = new Tensor(this.#device, { dtype: spec.dtype, shape: view.shape, strides: view.strides })
    this.#virtual.set(tensor, { buffer: { spec, first: at, last: at }, view })
    return tensor
  }

  #use(tensor: Tensor): void {
    const recorded = this.#virtual.get(tensor)
    if (recorded) recorded.buffer.last = Math.max(recorded.buffer.last, this.#commands.length)
    else this.#handleOf(tensor)
  }

  #handleOf(tensor: Tensor): number {
    if (!tensor.livesIn(this.#device)) fail('TRIMKV_HANDLE', 'the tensor belongs to another device')
    return tensor.handle
  }
}
