import type { Batch } from '../batch.ts'
import { baseFactor, type Losses } from './losses.ts'

const ignored = -100

/** What each row of logits is compared with, and how much it counts. */
export interface RowWeights {
  /** [N] the next token of the same document, −100 where there is none or it is not labelled */
  readonly targets: Int32Array
  /** [N] weight of the row's cross-entropy; they sum to 1, or all are 0 when no token is labelled */
  readonly ntp: Float64Array
  /** [N] weight of the row's divergence; likewise */
  readonly kl: Float64Array
}

/** Divides by the sum; all zeros stay zeros, so that a batch without labels has loss 0. */
function normalise(weights: Float64Array): Float64Array {
  let sum = 0
  for (const weight of weights) sum += weight
  return sum > 0 ? weights.map((weight) => weight / sum) : weights
}

/** Shifts labels to the rows that predict them; nothing is predicted across documents or past a row's end. */
export function rowWeights(batch: Batch, { klRows = 'labels' }: Losses): RowWeights {
  const { labels, starts, weights, length } = batch
  const targets = new Int32Array(labels.length).fill(ignored)
  const ntp = new Float64Array(labels.length)
  for (let n = 0; n < labels.length; n++) {
    if ((n + 1) % length === 0 || starts[n + 1] !== starts[n] || labels[n + 1] === ignored) continue
    targets[n] = labels[n + 1]!
    ntp[n] = weights[n + 1]!
  }
  const kl = klRows === 'targets' ? ntp : Float64Array.from(labels, (label) => (label === ignored ? 0 : 1))
  return { targets, ntp: normalise(ntp), kl: normalise(kl) }
}

/** Gradients of the total with respect to every row's terms. */
export function rowGradients(rows: RowWeights, losses: Losses): { kl: Float32Array; ntp: Float32Array } {
  const factor = baseFactor(losses)
  return {
    kl: Float32Array.from(rows.kl, (weight) => (losses.kl ? factor * weight : 0)),
    ntp: Float32Array.from(rows.ntp, (weight) => (losses.ntp ? factor * weight : 0)),
  }
}
