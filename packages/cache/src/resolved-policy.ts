import { fail, type ProtectedRange } from '@trimkv/tensor'
import type { CacheShape } from './cache-shape.ts'
import type { EvictionMode } from './eviction-mode.ts'
import { type PolicyNeeds, unionOfNeeds } from './needs.ts'
import type { GivenOptions, When } from './option-schema.ts'
import type { Policy, PolicyParts } from './policy.ts'
import type { Score } from './score.ts'
import type { Transform } from './transform.ts'

/** How a cache rates and selects: a policy with its options and budget filled in. */
export interface Eviction {
  readonly budget: number
  readonly when: When
  readonly score: Score
  readonly transforms: readonly Transform[]
  readonly protect: ProtectedRange
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
}

/** Beyond this no smallest budget is searched for: the parts protect a share of any budget. */
const largestSearched = 65_536

const protectedTokens = ({ protect }: PolicyParts): number => (protect?.first ?? 0) + (protect?.last ?? 0)

function partsFor(
  { policy, options, mode, shape }: PolicyChoice,
  budget: number,
): ReturnType<Policy['parts']> {
  return policy.parts(options, { budget, mode, shape })
}

/** The smallest budget that leaves room for one token that is not protected. */
export function smallestBudget(choice: PolicyChoice): number | undefined {
  for (let budget = 1; budget <= largestSearched; budget++) {
    if (protectedTokens(partsFor(choice, budget)) < budget) return budget
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

function checkProtected(choice: PolicyChoice, protect: ProtectedRange): void {
  const { first, last } = protect
  if (![first, last].every((n) => Number.isInteger(n) && n >= 0)) {
    fail(
      'TRIMKV_POLICY_CONTRACT',
      `[${choice.policy.name}] protect needs integers ≥ 0, got ${first} and ${last}`,
    )
  }
  if (first + last >= choice.budget!) {
    const sides = [...(first > 0 ? [`the first ${first}`] : []), ...(last > 0 ? [`the last ${last}`] : [])]
    refuseBudget(choice, `${sides.join(' and ')} tokens always stay, and one more must fit`)
  }
}

function checkAllocation(policy: string, { allocate }: PolicyParts, budget: number): number {
  if (allocate?.kind === 'perHead') {
    fail('TRIMKV_UNSUPPORTED', `[${policy}] per-head budgets are not supported yet`, {
      hint: 'use uniform(budget)',
    })
  }
  return allocate?.kind === 'uniform' ? allocate.budget : budget
}

/**
 * Fills in options and budget and checks that the parts fit together.
 * @throws TRIMKV_OPTION, TRIMKV_BUDGET_TOO_SMALL naming the smallest valid budget, TRIMKV_POLICY_CONTRACT,
 * TRIMKV_UNSUPPORTED for per-head budgets
 */
export function resolvePolicy(choice: PolicyChoice): ResolvedPolicy {
  const { name } = choice.policy
  const given = partsFor(choice, Number.isInteger(choice.budget) ? choice.budget! : 1)
  if (given.allocate?.kind === 'everything') {
    return { name, needs: { window: undefined, columns: {} }, eviction: undefined }
  }
  const budget = checkAllocation(name, given, checkBudget(choice))
  const protect = { first: 0, last: 0, ...given.protect }
  checkProtected({ ...choice, budget }, protect)
  const { score, transforms = [], when, orderedSlots = false } = given
  if (!score) {
    fail('TRIMKV_POLICY_CONTRACT', `[${name}] parts has no score`, {
      hint: 'return a score, or `allocate: everything()` to keep every token',
    })
  }
  const ordered =
    orderedSlots || (score.kind !== 'slot' && score.orderedSlots) || transforms.some((t) => t.orderedSlots)
  const needs = unionOfNeeds(name, [score.needs, ...transforms.map((transform) => transform.needs)])
  return { name, needs, eviction: { budget, when, score, transforms, protect, ordered } }
}

/** Whether the attention pass itself finds the victim: one slot rated alone, evicted at every step. */
export const findsVictimInAttention = ({ eviction }: ResolvedPolicy, mode: EvictionMode): boolean =>
  mode.mode === 'exact' &&
  eviction?.when === 'decode' &&
  eviction.score.kind === 'slot' &&
  eviction.transforms.length === 0 &&
  !eviction.ordered
