import type { Ops, TensorLike } from '@trimkv/tensor'
import type { LayerView } from './layer-view.ts'
import type { Needs } from './needs.ts'

/** Turns scores into scores. */
export interface Transform {
  readonly needs: Needs
  /** Whether slots must be in token order. */
  readonly orderedSlots: boolean
  /** @returns a new tensor [B, H, cap] f32 */
  apply<T extends TensorLike>(ops: Ops<T>, scores: T, view: LayerView<T>): T
}

/** Smooths scores over neighbouring slots older than the last `exclude` tokens (SnapKV). */
export const pool = (options: {
  readonly kernel: number
  readonly kind: 'max' | 'avg'
  readonly exclude: number
}): Transform => ({
  needs: {},
  orderedSlots: true,
  apply: (ops, scores, { count, slotIndex, seen }) => ops.pool({ scores, count, slotIndex, seen }, options),
})

/** Gives all heads of a layer the mean score, so that they keep the same tokens (TOVA). */
export const shareHeads = (): Transform => ({
  needs: {},
  orderedSlots: false,
  apply: (ops, scores, { count }) => ops.shareHeads({ scores, count }),
})

/** `keep · score − (1 − keep) · redundancy`: the same information is not kept twice (R-KV). */
export const penaliseRedundancy = (options: {
  readonly keep: number
  readonly threshold: number
}): Transform => ({
  needs: {},
  orderedSlots: true,
  apply(ops, scores, { keys, count }) {
    const repeated = ops.redundancy({ keys, count }, { threshold: options.threshold })
    return ops.mix({ a: scores, b: repeated }, { a: options.keep, b: options.keep - 1 })
  },
})
