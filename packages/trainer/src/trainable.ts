import type { Tensor } from '@trimkv/tensor'
import type { Batch } from './batch.ts'

/** Means over a batch by name: `loss` always, and what else the loss is made of or tells about the model. All finite. */
export type LossTerms = Readonly<Record<string, number>>

/** A tensor that is trained. */
export interface Parameter {
  readonly name: string
  /** f32, contiguous; updated in place. */
  readonly tensor: Tensor
  /** f32, contiguous, same shape: where {@link Trainable.accumulate} leaves the gradient. */
  readonly gradient: Tensor
  /** Whether weight decay applies. */
  readonly decay: boolean
}

/** What the training loop trains. */
export interface Trainable extends Disposable {
  readonly parameters: readonly Parameter[]
  /**
   * Forward and backward of one micro-batch. Its gradients, times `scale`, replace those of the parameters (`first`) or
   * are added to them.
   * @throws `signal.reason` when aborted; the parameters are then as before
   */
  accumulate(
    batch: Batch,
    options: { readonly first: boolean; readonly scale: number; readonly signal?: AbortSignal },
  ): Promise<LossTerms>
  /** Forward alone. @throws `signal.reason` when aborted */
  evaluate(batch: Batch, options: { readonly signal?: AbortSignal }): Promise<LossTerms>
}
