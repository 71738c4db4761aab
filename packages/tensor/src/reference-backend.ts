import { type DType, elementCount, type TensorSpec } from './dtype.ts'
import { fail } from './errors.ts'
import type { AnyOp, RefArray } from './op.ts'
import {
  type Backend,
  type BackendCall,
  contiguousStrides,
  createOps,
  type Ops,
  type TensorLike,
  type ViewSpec,
} from './ops.ts'
import { dequantise, isQuantised, quantise } from './quantised.ts'
import { roundTo } from './round.ts'

/** A tensor of the f64 reference: a window on an array of doubles. */
export class RefTensor implements TensorLike {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly strides: readonly number[]
  readonly offset: number
  /** Shared by all views of one tensor. */
  readonly storage: Float64Array

  constructor(storage: Float64Array, dtype: DType, view: ViewSpec) {
    this.storage = storage
    this.dtype = dtype
    this.shape = view.shape
    this.strides = view.strides
    this.offset = view.offset
  }

  /** Elements in row-major order. */
  toArray(): Float64Array {
    const out = new Float64Array(elementCount(this.shape))
    this.#each((index, at) => {
      out[index] = this.storage[at]!
    })
    return out
  }

  /** Overwrites all elements, rounded to what the dtype can hold (f32 stays f64: the reference does not round sums). */
  assign(values: ArrayLike<number>): void {
    if (values.length !== elementCount(this.shape)) {
      fail('TRIMKV_SHAPE', `[assign] got ${values.length} values for [${this.shape.join(', ')}]`)
    }
    const rounded = isQuantised(this) ? dequantise(quantise(values, this), this) : values
    this.#each((index, at) => {
      this.storage[at] = roundTo(this.dtype, rounded[index]!)
    })
  }

  #each(visit: (index: number, at: number) => void): void {
    const count = elementCount(this.shape)
    const counter = new Array<number>(this.shape.length).fill(0)
    let at = this.offset
    for (let index = 0; index < count; index++) {
      visit(index, at)
      for (let axis = this.shape.length - 1; axis >= 0; axis--) {
        at += this.strides[axis]!
        if (++counter[axis]! < this.shape[axis]!) break
        at -= this.strides[axis]! * this.shape[axis]!
        counter[axis] = 0
      }
    }
  }
}

/** A contiguous reference tensor. @throws TRIMKV_SHAPE when the number of values does not fit */
export function refTensor(values: ArrayLike<number>, spec: TensorSpec): RefTensor {
  const tensor = refZeros(spec)
  tensor.assign(values)
  return tensor
}

function refZeros(spec: TensorSpec): RefTensor {
  const view = { shape: [...spec.shape], strides: contiguousStrides(spec.shape), offset: 0 }
  return new RefTensor(new Float64Array(elementCount(spec.shape)), spec.dtype, view)
}

const refArray = (t: RefTensor): RefArray => ({ dtype: t.dtype, shape: t.shape, data: t.toArray() })

const sameWindow = (a: RefTensor, b: RefTensor): boolean =>
  a.storage === b.storage && a.offset === b.offset && `${a.shape}|${a.strides}` === `${b.shape}|${b.strides}`

function runReference(op: AnyOp, call: BackendCall<RefTensor>): Record<string, RefTensor> {
  const arrays: Record<string, RefArray> = {}
  const entries = Object.entries(call.inputs).filter(
    (entry): entry is [string, RefTensor] => entry[1] !== undefined,
  )
  for (const [slot, tensor] of entries) {
    // Two slots may name the same window: then a write through one is seen through the other, as on a device.
    const twin = entries.find(([other, t]) => arrays[other] && sameWindow(t, tensor))
    arrays[slot] = twin ? arrays[twin[0]]! : refArray(tensor)
  }
  const outputs: Record<string, RefArray> = {}
  for (const [name, spec] of Object.entries(call.outputs)) {
    outputs[name] = { dtype: spec.dtype, shape: spec.shape, data: new Float64Array(elementCount(spec.shape)) }
  }
  op.reference(arrays, outputs, call.attrs)
  for (const [slot, kind] of Object.entries(op.slots as Record<string, string>)) {
    if (/inout/i.test(kind) && arrays[slot]) call.inputs[slot]!.assign(arrays[slot].data)
  }
  return Object.fromEntries(
    Object.entries(outputs).map(([name, array]) => [name, refTensor(array.data, array)]),
  )
}

/** Executes ops by their f64 definitions in TypeScript: slow, exact, needs no addon. */
const referenceBackend: Backend<RefTensor> = {
  run: runReference,
  view: (tensor, view) =>
    new RefTensor(tensor.storage, tensor.dtype, { ...view, offset: tensor.offset + view.offset }),
  zeros: refZeros,
  call: (fn) => fn(),
}

/** All ops in f64, in plain TypeScript. */
export const referenceOps = (): Ops<RefTensor> => createOps(referenceBackend)
