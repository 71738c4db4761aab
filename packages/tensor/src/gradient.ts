import type { Slots, SlotValues } from './op.ts'
import type { Ops, TensorLike } from './ops.ts'

/** Gradients by output: the one of an only output `out` is there; of several, those that are absent are zero. */
export type OutputGrads<Out extends string, T> = [Out] extends ['out']
  ? { readonly out: T }
  : { readonly [K in Out]?: T | undefined }

/**
 * One call of an op, as its gradient sees it. Every gradient is f32, contiguous and of the shape of its tensor,
 * whatever the dtype of the tensor.
 */
export interface GradientCall<S extends Slots, A, Out extends string, T> {
  readonly ops: Ops<T>
  /** What the call was given. Elements may be there only for `ops`: they are computed anew when an op reads them. */
  readonly inputs: SlotValues<S, T>
  /** What the call gave; the same holds. */
  readonly outputs: { readonly [K in Out]: T }
  readonly grads: OutputGrads<Out, T>
  readonly attrs: A
  /** Whether the gradient of an input is asked for: work for others can be left out. */
  readonly wants: (slot: keyof S) => boolean
}

/**
 * The gradient of an op, written with ops: from the gradients of its outputs to those of its inputs.
 * An input that is wanted and left out is one that the op cannot be differentiated by.
 */
export type Gradient<S extends Slots, A, Out extends string> = <T extends TensorLike>(
  call: GradientCall<S, A, Out, T>,
) => { readonly [slot in keyof S]?: T | undefined }

/** A gradient whose exact types do not matter to the caller. */
// biome-ignore lint/suspicious/noExplicitAny: a table of gradients of different ops has no other common type
export type AnyGradient = Gradient<any, any, any>
