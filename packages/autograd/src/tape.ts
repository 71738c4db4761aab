import type { Ops, TensorLike } from '@trimkv/tensor'
import { differentiate, type Seed } from './backward.ts'
import { History } from './history.ts'
import { intercept } from './intercept.ts'

/** What {@link createTape} records, and what it keeps. */
export interface TapeOptions<T> {
  /** What to differentiate by. Tensors are told apart by identity: a view made elsewhere is another tensor. */
  readonly wrt: readonly T[]
  /**
   * Compute the activations of closed segments again in the backward pass instead of keeping them. Saves memory where
   * tensors are freed after their last use, as in a recorded program, at the price of most of a second forward pass.
   */
  readonly recompute?: boolean
}

/** Watches a computation so that it can be differentiated. */
export interface Tape<T> {
  /** The ops to compute with: those the tape was made from, and the calls that depend on `wrt` are remembered. */
  readonly ops: Ops<T>
  /**
   * Closes the segment that is open and starts a new one: with `recompute`, of a closed one only what crosses into it is
   * kept. Call it before each layer. The segment that is open in `backward` is never computed again.
   */
  segment(): void
  /**
   * Gradients of Σ ⟨grad, tensor⟩ over the seeds. Calls are the ops' own: eager, recorded or in f64 like the forward pass.
   * @param seeds the results to start from; grads are f32 of the same shape, rows may be strided
   * @returns one f32 gradient per tensor of `wrt`, in order; absent where nothing depends on it. Two may be one tensor,
   *   or one of the seeds: they are for reading
   * @throws TRIMKV_UNSUPPORTED when a gradient reaches an op, or an input of one, that has no gradient;
   *   TRIMKV_SHAPE, TRIMKV_DTYPE for a seed that does not fit
   */
  backward(seeds: readonly Seed<T>[]): (T | undefined)[]
}

/**
 * A tape for reverse-mode differentiation over any kind of ops. It knows no op: what it needs is the table `gradients`
 * of @trimkv/tensor. In-place ops that touch what it follows fail with TRIMKV_UNSUPPORTED.
 * @see Chen et al. 2016 (arXiv:1604.06174) for recomputation by segments
 */
export function createTape<T extends TensorLike>(
  ops: Ops<T>,
  { wrt, recompute = false }: TapeOptions<T>,
): Tape<T> {
  const history = new History<T>(wrt)
  return {
    ops: intercept(ops, (call) => history.run(call)),
    segment: () => void history.segment++,
    backward: (seeds) => differentiate(ops, history, { wrt, seeds, recompute }),
  }
}
