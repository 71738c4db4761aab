import type { Ops, TensorLike } from '@trimkv/tensor'
import type { LayerView } from './layer-view.ts'
import type { ColumnWriter, Needs } from './needs.ts'

/** Turns scores into scores. */
export interface Transform {
  readonly needs: Needs
  /** Whether slots must be in token order. */
  readonly orderedSlots: boolean
  /** Whether all heads of a layer must hold the same tokens: not under budgets that differ from head to head. */
  readonly equalHeads?: boolean
  /** @returns [B, H, cap] f32: a new tensor, or `scores` as they are */
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
  equalHeads: true,
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

/** What is protected, 1 above all others. */
function lifted<T extends TensorLike>(
  ops: Ops<T>,
  scores: T,
  { slotIndex, count, seen, protect }: LayerView<T>,
): T {
  if (protect.first === 0 && protect.last === 0) return scores
  return ops.liftProtected({ scores, slotIndex, count, seen }, protect)
}

/** Rates protected tokens 1 above all others: what stays for certain also counts in sums that follow. */
export const liftProtected = (): Transform => ({
  needs: {},
  orderedSlots: false,
  apply: lifted,
})

/** Gives the tokens of each stretch of `length` neighbours their mean, so that they stay or go together (ChunkKV). */
export const chunkMean = (length: number): Transform => ({
  needs: {},
  orderedSlots: true,
  apply: (ops, scores, { count }) => ops.chunkMean({ scores, count }, { length }),
})

/**
 * Rates each token by its rank within its stretch of `length` neighbours, over their number, so that every stretch loses the
 * same share (FINCH's chunks).
 */
export const rankWithin = (length: number): Transform => ({
  needs: {},
  orderedSlots: true,
  apply: (ops, scores, { count }) => ops.rankWithin({ scores, count }, { length }),
})

/**
 * Multiplies the scores of a head by the share of its total that its best slots have, as many as an even budget leaves
 * beside what is protected, which does not count (AdaKV's normalisation).
 */
export const weighHeads = (budget: number): Transform => ({
  needs: {},
  orderedSlots: false,
  apply(ops, scores, { slotIndex, count, seen, protect }) {
    const slots = Math.max(0, budget - protect.first - protect.last)
    return ops.weighHeads({ scores, slotIndex, count, seen }, { slots, ...protect })
  },
})

/** `(score + epsilon) · ‖v‖₂`: what attention a token gets, times what it has to say (ExpectedAttention). */
export const timesValueNorm = ({ epsilon }: { readonly epsilon: number }): Transform => ({
  needs: { columns: { valueNorm } },
  orderedSlots: false,
  apply: (ops, scores, { count, column }) =>
    ops.weighScores({ scores, weights: column('valueNorm'), count }, { epsilon }),
})

const valueNorm: ColumnWriter = { kind: 'ops', write: (ops, { v }) => ops.keyNorm({ k: v }, { log: false }) }

/** The two stages of CriticalKV. */
export interface TwoStage {
  /** Slots per head, or on average where heads compete. */
  readonly budget: number
  /** Part of what a head may keep that its scores alone decide. */
  readonly share: number
  /** Added to scores before they are weighed. */
  readonly epsilon: number
}

/**
 * The best `share` of the budget stays; the others are rated `(score + epsilon) · ‖W_o v‖₁`, their mark on the output
 * (CriticalKV). Protected tokens come first in both stages.
 */
export const twoStage = ({ budget, share, epsilon }: TwoStage): Transform => ({
  needs: { outputNorm: true },
  orderedSlots: false,
  apply(ops, given, view) {
    const { slotIndex, count, column } = view
    const scores = lifted(ops, given, view)
    const first = Math.floor(budget * share)
    const kept = first > 0 ? ops.select({ scores, slotIndex, count }, { budget: first }) : undefined
    return ops.weighScores({ scores, weights: column('outputNorm'), count, kept }, { epsilon })
  },
})

/**
 * The same where the heads of a layer compete by their scores for what they may keep, each sure of its best `safe` slots
 * (CriticalAdaKV). What both stages choose is rated +∞, so that a pool of that budget holds exactly this.
 */
export const pooledTwoStage = ({
  budget,
  share,
  epsilon,
  safe,
}: TwoStage & { readonly safe: number }): Transform => ({
  needs: { outputNorm: true },
  orderedSlots: false,
  apply(ops, given, view) {
    const { slotIndex, count, column, protect } = view
    const scores = lifted(ops, given, view)
    const table = { slotIndex, count }
    const weights = column('outputNorm')
    const floor = { kind: 'top', slots: safe } as const
    const threshold = Number.NEGATIVE_INFINITY
    const quota = ops.allotSlots({ scores, ...table }, { budget, trigger: 0, floor, threshold })
    const most = { budget: scores.shape[2]! }
    const part = { share, least: Math.max(safe, protect.first + protect.last) }
    const first = ops.select({ scores, ...table, quota }, { ...most, part })
    const weighed = ops.weighScores({ scores, weights, count, kept: first }, { epsilon })
    const kept = ops.select({ scores: weighed, ...table, quota }, most)
    return ops.weighScores({ scores: weighed, weights, count, kept }, { epsilon })
  },
})
