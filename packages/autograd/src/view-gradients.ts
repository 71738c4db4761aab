import type { Ops, TensorLike } from '@trimkv/tensor'

interface ViewGradientCall<T> {
  readonly ops: Ops<T>
  readonly inputs: { readonly x: T }
  readonly grads: { readonly out: T }
}

/** Gradients of the views, which are no ops: a window is put back into zeros, another shape is put back. */
export const viewGradients = {
  reshape: <T extends TensorLike>({ ops, inputs, grads }: ViewGradientCall<T>): { readonly x: T } => ({
    x: ops.reshape(grads.out, inputs.x.shape),
  }),
  slice: <T extends TensorLike>({
    ops,
    inputs,
    grads,
    attrs,
  }: ViewGradientCall<T> & { readonly attrs: SliceRange }): { readonly x: T } => {
    const { axis, start, length } = attrs
    const after = (inputs.x.shape[axis] as number) - start - length
    return { x: ops.padAxis({ x: grads.out }, { axis, before: start, after }) }
  },
}

type SliceRange = Parameters<Ops<TensorLike>['slice']>[1]
