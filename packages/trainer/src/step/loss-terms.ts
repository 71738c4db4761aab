import type { Tensor } from '@trimkv/tensor'
import type { Batch } from '../batch.ts'
import type { LossTerms } from '../trainable.ts'
import { finalOccupancy } from './gate-capacity.ts'
import { baseFactor, type Losses } from './losses.ts'
import type { RowWeights } from './row-weights.ts'
import type { TrainingTerms } from './training-forward.ts'

interface LossContext {
  readonly batch: Batch
  readonly rows: RowWeights
  readonly losses: Losses
}

/** Rows with no weight are left out, so that what they hold cannot spoil a sum. */
function weighted(chunks: readonly Tensor[], weights: Float64Array): number {
  let sum = 0
  let row = 0
  for (const chunk of chunks) {
    for (const value of chunk.read()) {
      const weight = weights[row++]!
      if (weight !== 0) sum += weight * value
    }
  }
  return sum
}

/** Share of fully weighted targets that the model says; undefined when there are none. */
function accuracy(said: readonly Tensor[], { targets }: RowWeights, { weights }: Batch): number | undefined {
  let right = 0
  let asked = 0
  let row = 0
  for (const chunk of said) {
    for (const id of chunk.read()) {
      const target = targets[row++]!
      if (target === -100 || weights[row]! < 1) continue
      asked++
      if (id === target) right++
    }
  }
  return asked > 0 ? right / asked : undefined
}

/** Numbers of one run; sums are taken in f64, in the order of rows. */
export function lossTerms(
  terms: TrainingTerms<Tensor> & { readonly said?: readonly Tensor[] },
  { batch, rows, losses }: LossContext,
): LossTerms {
  const { capacity } = losses
  const factor = baseFactor(losses)
  const ntp = weighted(terms.ntp, rows.ntp)
  const kl = losses.kl ? weighted(terms.kl, rows.kl) : undefined
  const capacityTerm = terms.capacity?.read()[0]
  const loss =
    factor * ((losses.ntp ? ntp : 0) + (kl ?? 0)) + (capacity ? capacity.weight * (capacityTerm ?? 0) : 0)
  const right = terms.said && accuracy(terms.said, rows, batch)
  return {
    loss,
    ntp,
    ...(kl !== undefined && { kl }),
    ...(capacityTerm !== undefined && { capacity: capacityTerm }),
    ...(terms.occupancy && { occupancy: finalOccupancy(terms.occupancy.read(), batch) }),
    ...(right !== undefined && { accuracy: right }),
  }
}
