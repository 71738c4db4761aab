import { fail, type Ops, type TensorLike } from '@trimkv/tensor'
import type { ForwardNeeds } from './kv-cache.ts'
import type { Rotary } from './layer-view.ts'
import type { ResolvedPolicy } from './resolved-policy.ts'
import { type SeatRange, seatRows } from './slot-set.ts'
import type { StepPlan } from './step-plan.ts'

/** What one forward of a model must compute for a policy. After the one cut of a prompt nothing is rated any more. */
export function forwardNeeds({ needs, eviction }: ResolvedPolicy, plan: StepPlan): ForwardNeeds {
  const rates = eviction?.when === 'decode' || plan.due.includes(true)
  return {
    logBeta: 'logBeta' in needs.columns,
    outputNorm: 'outputNorm' in needs.columns && rates,
    rawQueries: needs.rawQueries === true && rates,
  }
}

/** @throws TRIMKV_INVARIANT when a policy that rotates was not given the embedding */
export function checkRotary<T>(
  { name, needs, eviction }: ResolvedPolicy,
  rotary: Rotary<T> | undefined,
): void {
  const turns = needs.rotary === true || eviction?.positions === 'slot'
  if (turns && !rotary)
    fail('TRIMKV_INVARIANT', `${name} needs the rotary embedding of the model, and bind got none`)
}

/** The rotary embedding of some of a plan's seats. */
export function seatRotary<T extends TensorLike>(
  ops: Ops<T>,
  rotary: Rotary<T> | undefined,
  run: SeatRange,
): Rotary<T> | undefined {
  if (!rotary || rotary.invFreq.shape[0] === 1) return rotary
  return { ...rotary, invFreq: seatRows(ops, rotary.invFreq, run) }
}
