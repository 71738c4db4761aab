import type { LossTerms } from '../trainable.ts'

/** What a run tells while it goes on. */
export type TrainEvent =
  /** The run goes on from its checkpoint. */
  | { readonly kind: 'resume'; readonly step: number }
  | {
      readonly kind: 'step'
      readonly step: number
      readonly steps: number
      /** All that the loss tells, such as `occupancy` beside `budget` when gates are trained. */
      readonly terms: LossTerms
      readonly learningRate: number
      readonly gradNorm: number
      readonly tokensPerSecond: number
      /** Time that the remaining steps will take at the pace of the last ones. */
      readonly etaSeconds: number
    }
  | { readonly kind: 'validation'; readonly step: number; readonly terms: LossTerms; readonly best: boolean }
  | { readonly kind: 'checkpoint'; readonly step: number }
