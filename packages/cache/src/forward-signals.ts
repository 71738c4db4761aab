import { fail, type Ops, type TensorLike } from '@trimkv/tensor'
import type { CacheShape } from './cache-shape.ts'
import type { HostLayer } from './host-access.ts'
import type { ForwardNeeds } from './kv-cache.ts'
import type { RawQueries, Rotary } from './layer-view.ts'
import type { ResolvedPolicy } from './resolved-policy.ts'
import { type SeatRange, type SlotSet, seatRows, seatSlots } from './slot-set.ts'
import type { StepPlan } from './step-plan.ts'

/** Whether what a forward stores is going to be rated: after the one cut of a prompt nothing is. */
export const ratesAgain = ({ eviction }: ResolvedPolicy, plan: StepPlan): boolean =>
  eviction?.when === 'decode' || plan.due.includes(true)

/** What one forward of a model must compute for a policy. */
export function forwardNeeds(policy: ResolvedPolicy, plan: StepPlan): ForwardNeeds {
  const { columns, rawQueries = false, input = false } = policy.needs
  const rates = ratesAgain(policy, plan)
  return {
    logBeta: rates && 'logBeta' in columns,
    outputNorm: rates && 'outputNorm' in columns,
    rawQueries: rates && rawQueries,
    input: rates && input,
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
function seatRotary<T extends TensorLike>(
  ops: Ops<T>,
  rotary: Rotary<T> | undefined,
  run: SeatRange,
): Rotary<T> | undefined {
  if (!rotary || rotary.invFreq.shape[0] === 1) return rotary
  return { ...rotary, invFreq: seatRows(ops, rotary.invFreq, run) }
}

/** One layer of a plan's seats as it stands when slots are rated. */
export interface LayerAtCut<T> {
  readonly layer: number
  readonly slots: SlotSet<T>
  readonly ring: T | undefined
  readonly raw: RawQueries<T> | undefined
}

/** What rating sees of one layer: some of the plan's seats. */
export function ratedLayer<T extends TensorLike>(
  at: {
    readonly ops: Ops<T>
    readonly policy: string
    readonly shape: CacheShape
    readonly inputs: { readonly seen: T; readonly rotary?: Rotary<T> }
  },
  { layer, slots, ring, raw }: LayerAtCut<T>,
  run: SeatRange,
): HostLayer<T> {
  const { ops, policy, shape, inputs } = at
  return {
    policy,
    layer,
    shape,
    slots: seatSlots(ops, slots, run),
    seen: seatRows(ops, inputs.seen, run),
    ring: ring && seatRows(ops, ring, run),
    rawQueries: raw && { q: seatRows(ops, raw.q, run), index: seatRows(ops, raw.index, run) },
    rotary: seatRotary(ops, inputs.rotary, run),
  }
}
