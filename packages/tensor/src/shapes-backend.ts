import type { TensorSpec } from './dtype.ts'
import type { OpCost } from './op.ts'
import { type Backend, contiguousStrides, createOps, type Ops, type TensorLike } from './ops.ts'

/** A tensor without elements. */
export const shapeOnly = (spec: TensorSpec): TensorLike => ({
  dtype: spec.dtype,
  shape: [...spec.shape],
  strides: contiguousStrides(spec.shape),
})

/**
 * Runs shape rules and nothing else, adding up the declared cost of every op.
 * With it a model of any size can be checked, and its work estimated, without memory.
 */
export function countingOps(): { readonly ops: Ops<TensorLike>; readonly total: OpCost } {
  const total = { flops: 0, bytes: 0 }
  const backend: Backend<TensorLike> = {
    run(op, call) {
      const cost = op.cost?.(call.inputs as never, call.attrs) as OpCost | undefined
      total.flops += cost?.flops ?? 0
      total.bytes += cost?.bytes ?? 0
      return Object.fromEntries(Object.entries(call.outputs).map(([name, spec]) => [name, shapeOnly(spec)]))
    },
    view: (tensor, view) => ({ dtype: tensor.dtype, shape: view.shape, strides: view.strides }),
    zeros: shapeOnly,
    call: () => {},
  }
  return { ops: createOps(backend), total }
}
