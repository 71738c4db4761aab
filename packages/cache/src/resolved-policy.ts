import { fail, type HeadFloor, type ProtectedRange } from '@trimkv/tensor'
import type { CacheShape } from './cache-shape.ts'
import type { EvictionMode } from './eviction-mode.ts'
import { type ConstantSource, type PolicyNeeds, unionOfNeeds } from './needs.ts'
import type { GivenOptions, When } from './option-schema.ts'
import type { Allocation, Attends, PerLayerBudgets, Policy, PolicyParts, Positions } from './policy.ts'
import type { Score } from './score.ts'
import type { Transform } from './transform.ts'

/** How many slots each head keeps where that is not the same number for all. */
export type HeadShares =
  | {
      readonly kind: 'pooled'
      readonly scope: 'layer' | 'model'
      readonly floor: HeadFloor
      readonly threshold: number
    }
  | { readonly kind: 'perHead' /** [L · H], layer by layer */; readonly budgets: readonly number[] }
  | PerLayerBudgets

/** How a cache rates and selects: a policy with its options and budget filled in. */
export interface Eviction {
  /** Slots per head; where heads differ, their mean, rounded down. */
  readonly budget: number
  /** Nothing when all heads keep `budget` slots. */
  readonly shares: HeadShares | undefined
  readonly positions: Positions
  readonly when: When
  readonly score: Score
  readonly transforms: readonly Transform[]
  readonly protect: ProtectedRange
  readonly attends: Attends
  /** Whether survivors are kept in token order. */
  readonly ordered: boolean
}

export interface ResolvedPolicy {
  readonly name: string
  readonly needs: PolicyNeeds
  /** Nothing when the policy keeps everything. */
  readonly eviction: Eviction | undefined
}

/** A policy and everything its parts may depend on. */
export interface PolicyChoice {
  readonly policy: Policy
  readonly options: GivenOptions
  /** Tokens per layer and head; policies that keep everything have none. */
  readonly budget: number | undefined
  readonly mode: EvictionMode
  readonly shape: CacheShape
  /** First tokens of the sequence that must stay beside those the policy protects. Default 0. */
  readonly pinned?: number
}

/** Beyond this no smallest budget is searched for: the parts protect a share of any budget. */
const largestSearched = 65_536

const protectedTokens = ({ protect }: PolicyParts, pinned: number): number =>
  Math.max(protect?.first ?? 0, pinned) + (protect?.last ?? 0)

function partsFor(
  { policy, options, mode, shape }: PolicyChoice,
  budget: number,
): ReturnType<Policy['parts']> {
  return policy.parts(options, { budget, mode, shape })
}

/** Longer than any prompt: layers that get little of a long one get least of this. */
const longestPrompt = 1e12

/** The smallest budget of a head; what is pinned must fit whatever the prompt leaves a layer. */
function leastBudget(allocate: Allocation | HeadShares | undefined, budget: number, pinned: number): number {
  if (allocate?.kind === 'perHead') return Math.min(budget, ...allocate.budgets.flat())
  if (allocate?.kind !== 'perLayer') return budget
  const { budgets, keep } = allocate
  return Math.min(budget, ...(pinned > 0 && keep ? keep(longestPrompt) : budgets))
}

/** The smallest budget that leaves room for one token that is not protected. */
export function smallestBudget(choice: PolicyChoice): number | undefined {
  for (let budget = 1; budget <= largestSearched; budget++) {
    const parts = partsFor(choice, budget)
    const { pinned = 0 } = choice
    if (protectedTokens(parts, pinned) < leastBudget(parts.allocate, budget, pinned)) return budget
  }
  return undefined
}

function refuseBudget(choice: PolicyChoice, why: string): never {
  const smallest = smallestBudget(choice)
  const least =
    smallest === undefined ? 'no budget fits these options' : `the smallest valid budget is ${smallest}`
  return fail(
    'TRIMKV_BUDGET_TOO_SMALL',
    `A budget of ${choice.budget} is too small for ${choice.policy.name}`,
    {
      why: [why],
      hint: least,
      details: { policy: choice.policy.name, budget: choice.budget, smallest },
    },
  )
}

function checkBudget(choice: PolicyChoice): number {
  const { budget, policy } = choice
  if (budget === undefined) {
    fail('TRIMKV_OPTION', `${policy.name} needs a budget`, { hint: 'say how many tokens each head may keep' })
  }
  if (!Number.isInteger(budget) || budget < 1)
    refuseBudget(choice, 'budgets are whole tokens per head, at least 1')
  return budget
}

function checkProtected(
  choice: PolicyChoice,
  { budget, shares }: Pick<Eviction, 'budget' | 'shares'>,
  protect: ProtectedRange,
): void {
  const { first, last } = protect
  const least = leastBudget(shares, budget, choice.pinned ?? 0)
  if (![first, last].every((n) => Number.isInteger(n) && n >= 0)) {
    fail(
      'TRIMKV_POLICY_CONTRACT',
      `[${choice.policy.name}] protect needs integers ≥ 0, got ${first} and ${last}`,
    )
  }
  if (first + last >= least) {
    const sides = [...(first > 0 ? [`the first ${first}`] : []), ...(last > 0 ? [`the last ${last}`] : [])]
    refuseBudget(choice, `${sides.join(' and ')} tokens always stay, and one more must fit`)
  }
}

/** Slots of each head, layer by layer. */
function headBudgets({ policy, shape }: PolicyChoice, budgets: readonly (readonly number[])[]): number[] {
  const all = budgets.flat()
  const fits = budgets.length === shape.layers && budgets.every((heads) => heads.length === shape.kvHeads)
  if (!fits || !all.every((n) => Number.isSafeInteger(n) && n >= 1)) {
    fail('TRIMKV_POLICY_CONTRACT', `[${policy.name}] budgets of heads are not integers ≥ 1`, {
      why: [`expected ${shape.layers} layers of ${shape.kvHeads} heads`],
    })
  }
  return all
}

function checkPool({ policy }: PolicyChoice, budget: number, floor: HeadFloor): void {
  const slots = floor.kind === 'top' || floor.kind === 'least' ? floor.slots : 0
  const share = floor.kind === 'mix' ? floor.share : 0
  if (Number.isSafeInteger(slots) && slots >= 0 && slots <= budget && share >= 0 && share <= 1) return
  fail(
    'TRIMKV_OPTION',
    `[${policy.name}] a head is given ${floor.kind === 'mix' ? share : slots} of a budget of ${budget}`,
    { why: ['slots that a head gets are part of the budget, a share is from 0 to 1'] },
  )
}

function checkAllocation(
  choice: PolicyChoice,
  { allocate, when }: ReturnType<Policy['parts']>,
  given: number,
): Pick<Eviction, 'budget' | 'shares'> {
  if (allocate?.kind === 'perHead') {
    const budgets = headBudgets(choice, allocate.budgets)
    const mean = Math.floor(budgets.reduce((sum, n) => sum + n, 0) / budgets.length)
    return { budget: mean, shares: { kind: 'perHead', budgets } }
  }
  if (allocate?.kind === 'perLayer') {
    checkPerLayer(choice, allocate, when)
    return { budget: given, shares: allocate }
  }
  if (allocate?.kind !== 'pooled')
    return { budget: allocate?.kind === 'uniform' ? allocate.budget : given, shares: undefined }
  const { budget, scope, floor = { kind: 'none' }, threshold = Number.NEGATIVE_INFINITY } = allocate
  checkPool(choice, budget, floor)
  return { budget, shares: { kind: 'pooled', scope, floor, threshold } }
}

function checkPerLayer({ policy, shape }: PolicyChoice, allocate: PerLayerBudgets, when: When): void {
  const { budgets, keep } = allocate
  const whole = budgets.every((budget) => Number.isInteger(budget) && budget >= 1)
  if (!whole || budgets.length !== shape.layers) {
    fail(
      'TRIMKV_POLICY_CONTRACT',
      `[${policy.name}] perLayer needs ${shape.layers} integers ≥ 1, got ${budgets.join(', ')}`,
    )
  }
  if (keep && when === 'decode') {
    fail(
      'TRIMKV_POLICY_CONTRACT',
      `[${policy.name}] budgets depend on the prompt, and it evicts while decoding`,
    )
  }
}

/** What cannot be read or rotated again once tokens have moved. */
function checkSignals(
  policy: string,
  needs: PolicyNeeds,
  parts: Pick<Eviction, 'when' | 'positions' | 'shares'>,
): void {
  const { when, positions, shares } = parts
  if (needs.rawQueries && when === 'decode') {
    fail('TRIMKV_POLICY_CONTRACT', `[${policy}] rawQueries are those of the prompt`, {
      hint: 'use them in a policy that cuts after the prompt only, or the queries of a `window`',
    })
  }
  if (positions === 'keep') return
  const why =
    when === 'decode' && needs.window !== undefined
      ? 'the remembered queries keep the angles they had, while keys turn at every cut'
      : shares
        ? 'heads store different numbers of tokens, so a new token would have a position in each'
        : undefined
  if (why === undefined) return
  fail('TRIMKV_UNSUPPORTED', `[${policy}] positions=slot is not possible here`, {
    why: [why],
    hint: 'leave positions=keep',
  })
}

/** Eviction goes before attention only where slots are rated without it and stay where they are. */
function checkAttends(
  policy: string,
  needs: PolicyNeeds,
  { attends, positions, shares }: Pick<Eviction, 'attends' | 'positions' | 'shares'>,
): void {
  if (attends === 'stored') return
  if (Object.values(needs.columns).some(({ kind }) => kind === 'mass')) {
    fail('TRIMKV_POLICY_CONTRACT', `[${policy}] rates by attention, so attention cannot wait for it`, {
      hint: 'leave attends=stored',
    })
  }
  if (positions === 'keep' && !shares) return
  fail('TRIMKV_UNSUPPORTED', `[${policy}] attends=kept is not possible here`, {
    why: [
      shares
        ? 'heads store different numbers of tokens'
        : 'keys turn once tokens go, after queries were turned',
    ],
    hint: 'leave attends=stored',
  })
}

/** Parts that read heads side by side need the same tokens in all heads of a layer. */
function checkEqualHeads(
  { policy, shape }: PolicyChoice,
  parts: Pick<Eviction, 'score' | 'transforms' | 'shares'>,
): void {
  const { score, transforms, shares } = parts
  const asks = [...(score.kind === 'slot' ? [] : [score]), ...transforms].some((part) => part.equalHeads)
  const { kvHeads } = shape
  if (!asks || kvHeads === 1 || !shares || shares.kind === 'perLayer') return
  const firstOf = (at: number): number => at - (at % kvHeads)
  if (shares.kind === 'perHead' && shares.budgets.every((own, at, all) => own === all[firstOf(at)])) return
  fail('TRIMKV_POLICY_CONTRACT', `[${policy.name}] a part needs the same tokens in all heads of a layer`, {
    why: [
      shares.kind === 'pooled'
        ? 'heads compete for a budget, so each keeps tokens of its own'
        : 'heads of a layer have budgets that differ',
    ],
    hint: 'leave the part out (`shareHeads` is one), or give the heads of a layer one budget: `uniform`, `perLayer`',
  })
}

/**
 * Fills in options and budget and checks that the parts fit together.
 * @throws TRIMKV_OPTION, TRIMKV_BUDGET_TOO_SMALL naming the smallest valid budget, TRIMKV_POLICY_CONTRACT
 */
export function resolvePolicy(choice: PolicyChoice): ResolvedPolicy {
  const { name } = choice.policy
  const given = partsFor(choice, Number.isInteger(choice.budget) ? choice.budget! : 1)
  if (given.allocate?.kind === 'everything') {
    return { name, needs: { window: undefined, columns: {} }, eviction: undefined }
  }
  const amounts = checkAllocation(choice, given, checkBudget(choice))
  const protect = { first: 0, last: 0, ...given.protect }
  checkProtected({ ...choice, budget: amounts.budget }, amounts, protect)
  const { score, transforms = [], when, positions, attends = 'stored', orderedSlots = false } = given
  if (!score) {
    fail('TRIMKV_POLICY_CONTRACT', `[${name}] parts has no score`, {
      hint: 'return a score, or `allocate: everything()` to keep every token',
    })
  }
  const ordered =
    orderedSlots ||
    positions === 'slot' ||
    (score.kind !== 'slot' && score.orderedSlots) ||
    transforms.some((t) => t.orderedSlots)
  const needs = unionOfNeeds(name, [score.needs, ...transforms.map((transform) => transform.needs)])
  const { shares } = amounts
  checkSignals(name, needs, { when, positions, shares })
  checkAttends(name, needs, { attends, positions, shares })
  checkEqualHeads(choice, { score, transforms, shares })
  const how = { when, positions, attends, ordered }
  return { name, needs, eviction: { ...amounts, ...how, score, transforms, protect } }
}

/** The same eviction, with the first `pinned` tokens of the sequence protected too. */
export const pinning = (eviction: Eviction, pinned: number): Eviction => {
  const { protect } = eviction
  return { ...eviction, protect: { ...protect, first: Math.max(protect.first, pinned) } }
}

/**
 * Checks that a budget holds the first `pinned` tokens beside the last ones its policy protects, and one more.
 * @throws TRIMKV_OPTION, TRIMKV_BUDGET_TOO_SMALL naming the smallest valid budget
 */
export function checkPinned(choice: PolicyChoice, { eviction }: ResolvedPolicy, pinned: number): void {
  if (!Number.isSafeInteger(pinned) || pinned < 0) {
    fail('TRIMKV_OPTION', `pin must be an integer ≥ 0, got ${pinned}`, {
      details: { option: 'pin', value: pinned },
    })
  }
  if (!eviction) return
  checkProtected({ ...choice, budget: eviction.budget, pinned }, eviction, pinning(eviction, pinned).protect)
}

/** How many slots heads keep under a policy: all of them, the same number each, or different numbers. */
export function headSlots(choice: Omit<PolicyChoice, 'budget'>): 'all' | 'even' | 'uneven' {
  // What kind of share a head gets does not depend on the budget.
  const { allocate } = partsFor({ ...choice, budget: undefined }, 1)
  if (allocate?.kind === 'everything') return 'all'
  return allocate === undefined || allocate.kind === 'uniform' ? 'even' : 'uneven'
}

/** The tensors from files that a policy needs under given options, to be handed to `createKvCache` as `constants`. */
export const policyConstants = (choice: PolicyChoice): Readonly<Record<string, ConstantSource>> =>
  resolvePolicy(choice).needs.constants ?? {}

/** Whether the attention pass itself finds the victim: one slot rated alone, evicted at every step. */
export const findsVictimInAttention = ({ eviction }: ResolvedPolicy, mode: EvictionMode): boolean =>
  mode.mode === 'exact' &&
  eviction?.when === 'decode' &&
  eviction.shares === undefined &&
  eviction.attends === 'stored' &&
  eviction.score.kind === 'slot' &&
  eviction.transforms.length === 0 &&
  !eviction.ordered
