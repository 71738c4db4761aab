import type { KvCache } from '@trimkv/cache'
import type { Ops } from '@trimkv/tensor'

interface AttentionOptions<T> {
  readonly headDim: number
  /** [B, T] i32, first token of each token's document in its row */
  readonly starts: T
  /** Retention gates bias the logits: `(t − i) · log β_i`. */
  readonly gated: boolean
}

/**
 * Attention over whole rows of packed documents, in the place of a cache: nothing is stored, everything is
 * differentiable.
 * @see TRIM-KV (arXiv:2512.03324) eq. 3, in the additive form that its training code uses
 */
export function trainingAttention<T>(
  ops: Ops<T>,
  { headDim, starts, gated }: AttentionOptions<T>,
): KvCache<T> {
  const scale = 1 / Math.sqrt(headDim)
  return {
    needs: { logBeta: gated },
    attend: (_layer, { q, k, v, logBeta }) =>
      ops.gatedAttention({ q, k, v, start: starts, ...(gated && { logBeta }) }, { scale }).out,
  }
}
