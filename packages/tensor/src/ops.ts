import { elementCount, type TensorSpec } from './dtype.ts'
import { fail } from './errors.ts'
import type { AnyOp, Op, OutputValues, Slots, SlotValues } from './op.ts'
import { type OpTable, opTable } from './ops/index.ts'

/** What every kind of tensor shows: enough for shape rules and views. Strides are in elements. */
export interface TensorLike extends TensorSpec {
  readonly strides: readonly number[]
}

/** A window on a tensor: `offset` and `strides` in elements, `offset` relative to the tensor it is taken from. */
export interface ViewSpec {
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly offset: number
}

/**
 * What executes ops: eager on a device, recording, the f64 reference, shapes only, counting.
 * Shape rules have already been applied when `run` is called.
 */
export interface Backend<T extends TensorLike> {
  run(op: AnyOp, call: BackendCall<T>): Readonly<Record<string, T>>
  view(tensor: T, view: ViewSpec): T
  /** A new tensor of zeros that lives as long as the program or scope it is made in. */
  zeros(spec: TensorSpec): T
  /**
   * Runs JavaScript in the middle of a program, after all ops before it and before all after it.
   * `reads` names the tensors made by ops of the program that `fn` reads; others may be overwritten by then.
   */
  call(fn: () => void, reads?: readonly T[]): void
}

export interface BackendCall<T> {
  readonly inputs: Readonly<Record<string, T | undefined>>
  readonly outputs: Readonly<Record<string, TensorSpec>>
  readonly attrs: unknown
}

type OpFunction<O, T> =
  O extends Op<infer S, infer A, infer Out>
    ? S extends Slots
      ? keyof A extends never
        ? (inputs: SlotValues<S, T>) => OutputValues<Out, T>
        : (inputs: SlotValues<S, T>, attrs: A) => OutputValues<Out, T>
      : never
    : never

/** Views share storage with the tensor they are taken from. */
export interface ViewOps<T> {
  /** Same elements, other shape. @throws TRIMKV_SHAPE when sizes differ or the strides do not allow it */
  reshape(tensor: T, shape: readonly number[]): T
  /** Elements `start … start+length−1` of one axis. @throws TRIMKV_SHAPE when out of range */
  slice(tensor: T, range: { readonly axis: number; readonly start: number; readonly length: number }): T
  zeros(spec: TensorSpec): T
  /** @see Backend.call */
  call(fn: () => void, reads?: readonly T[]): void
}

/** All operators over one kind of tensor. Models, caches and policies are written against this type only. */
export type Ops<T> = { readonly [K in keyof OpTable]: OpFunction<OpTable[K], T> } & ViewOps<T>

/** Strides of a contiguous row-major tensor, in elements. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length)
  let step = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step
    step *= shape[axis]!
  }
  return strides
}

/** Whether elements lie in row-major order without gaps (axes of size 1 may have any stride). */
export function isContiguous(tensor: TensorLike): boolean {
  const wanted = contiguousStrides(tensor.shape)
  return tensor.shape.every((size, axis) => size === 1 || size === 0 || tensor.strides[axis] === wanted[axis])
}

/** Splits or merges axes from the right; an axis may keep a free stride as long as no merge crosses it. */
function reshapedStrides(tensor: TensorLike, shape: readonly number[]): number[] | undefined {
  if (isContiguous(tensor)) return contiguousStrides(shape)
  const strides = new Array<number>(shape.length)
  let axis = shape.length - 1
  let old = tensor.shape.length - 1
  while (old >= 0) {
    let size = tensor.shape[old]!
    const inner = tensor.strides[old]!
    while (old > 0 && tensor.strides[old - 1] === tensor.strides[old]! * tensor.shape[old]!)
      size *= tensor.shape[--old]!
    let step = 1
    while (axis >= 0 && step < size) {
      strides[axis] = inner * step
      step *= shape[axis--]!
    }
    if (step !== size) return undefined
    old--
  }
  while (axis >= 0) strides[axis--] = 0
  return shape.length > 0 && shape.every((s, i) => strides[i] !== undefined || s === 1) ? strides : undefined
}

function reshapeView(tensor: TensorLike, shape: readonly number[]): ViewSpec {
  if (elementCount(shape) !== elementCount(tensor.shape)) {
    fail(
      'TRIMKV_SHAPE',
      `[reshape] [${tensor.shape.join(', ')}] does not have the size of [${shape.join(', ')}]`,
    )
  }
  const strides = reshapedStrides(tensor, shape)
  if (!strides) {
    fail(
      'TRIMKV_SHAPE',
      `[reshape] [${tensor.shape.join(', ')}] is strided and cannot become [${shape.join(', ')}]`,
      {
        hint: 'copy it first',
      },
    )
  }
  return { shape: [...shape], strides, offset: 0 }
}

function sliceView(tensor: TensorLike, range: { axis: number; start: number; length: number }): ViewSpec {
  const { axis, start, length } = range
  const size = tensor.shape[axis]
  if (size === undefined || start < 0 || length < 0 || start + length > size) {
    fail(
      'TRIMKV_SHAPE',
      `[slice] ${start}…${start + length} of axis ${axis} is outside [${tensor.shape.join(', ')}]`,
    )
  }
  const shape = tensor.shape.map((s, i) => (i === axis ? length : s))
  return { shape, strides: [...tensor.strides], offset: start * tensor.strides[axis]! }
}

type UntypedOpFunction<T> = (inputs: Record<string, T>, attrs?: unknown) => unknown

const opFunction =
  <T extends TensorLike>(backend: Backend<T>, op: AnyOp): UntypedOpFunction<T> =>
  (inputs, attrs = {}) => {
    const outputs = op.infer(inputs, attrs) as Record<string, TensorSpec>
    const result = backend.run(op, { inputs, outputs, attrs })
    if (op.outputs.length === 0) return undefined
    return op.outputs.length === 1 && op.outputs[0] === 'out' ? result.out : result
  }

/** Puts the typed operator functions over a backend. */
export function createOps<T extends TensorLike>(backend: Backend<T>): Ops<T> {
  const functions = Object.fromEntries(
    Object.entries(opTable as unknown as Record<string, AnyOp>).map(([name, op]) => [
      name,
      opFunction(backend, op),
    ]),
  )
  const views: ViewOps<T> = {
    reshape: (tensor, shape) => backend.view(tensor, reshapeView(tensor, shape)),
    slice: (tensor, range) => backend.view(tensor, sliceView(tensor, range)),
    zeros: (spec) => backend.zeros(spec),
    call: (fn, reads) => backend.call(fn, reads),
  }
  return { ...functions, ...views } as unknown as Ops<T>
}
