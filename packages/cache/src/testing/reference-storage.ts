import { type RefTensor, referenceOps, refTensor, type TensorSpec } from '@trimkv/tensor'
import type { Storage } from '../storage.ts'

function readReference(tensor: RefTensor): Float32Array | Int32Array {
  const values = tensor.toArray()
  return tensor.dtype === 'i32' ? Int32Array.from(values) : Float32Array.from(values)
}

const zeroReference = (spec: TensorSpec): RefTensor =>
  refTensor(new Float64Array(spec.shape.reduce((a, b) => a * b, 1)), spec)

/** Keeps a cache in the f64 reference: slow and exact, needs no addon. */
export const referenceStorage = (): Storage<RefTensor> => ({
  views: referenceOps(),
  zeros: zeroReference,
  reserve: zeroReference,
  read: readReference,
  write: (tensor, values) => tensor.assign(values),
  dispose: () => {},
  // There are no pages: small ones show what depends on them.
  pageBytes: 64,
  clearSlots: (data, count) => referenceOps().clearSlots({ data, count }),
})
