import { fail } from '@trimkv/tensor'
import type { LossTerms } from '../trainable.ts'

/** A number that ended a run. */
interface Divergence {
  /** Step it was met in, the first is 1; 0 before it. */
  readonly step: number
  /** What is not finite, such as `the gradient of head.weight`. */
  readonly what: string
  /** Name of the term or tensor. */
  readonly name: string
}

/** @throws always: TrimError `TRIMKV_DIVERGED` */
export const diverged = ({ step, what, name }: Divergence): never =>
  fail('TRIMKV_DIVERGED', `training diverged in step ${step}: ${what} is not finite`, {
    why: ['the last checkpoint is from before it'],
    hint: 'lower the learning rate, warm up longer or clip the gradients, and look at the data of this step',
    details: { step, name },
  })

/** @throws TrimError `TRIMKV_DIVERGED` when a term is not finite */
export function checkTerms(terms: LossTerms, step: number, where: string): void {
  for (const [name, value] of Object.entries(terms)) {
    if (!Number.isFinite(value)) diverged({ step, what: `${where} ${name}`, name })
  }
}

/** Whether all numbers are finite: one of them makes the sum of `x − x` NaN. */
export function allFinite(values: Float32Array): boolean {
  let sum = 0
  for (const value of values) sum += value - value
  return sum === 0
}
