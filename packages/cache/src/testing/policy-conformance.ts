import { type RefTensor, type TensorLike, TrimError } from '@trimkv/tensor'
import type { CacheShape } from '../cache-shape.ts'
import type { EvictionMode } from '../eviction-mode.ts'
import { createKvCache, type KvArena } from '../kv-arena.ts'
import type { GivenOptions, When } from '../option-schema.ts'
import { policies } from '../policies/index.ts'
import type { Policy } from '../policy.ts'
import {
  type Eviction,
  type PolicyChoice,
  policyConstants,
  resolvePolicy,
  smallestBudget,
} from '../resolved-policy.ts'
import type { StepRequest } from '../step-plan.ts'
import { attentionError } from './attention-check.ts'
import { type FeedTarget, referenceTestBackend, runForward, type TestBackend } from './run-forward.ts'
import { testConstants } from './test-rotary.ts'
import { seededTokens } from './token-source.ts'

/** How a policy is run when it is checked. */
export interface ConformanceOptions<T extends TensorLike> {
  /** Options to run the policy with. */
  readonly options?: GivenOptions
  /** Where the caches live; default the f64 reference. */
  readonly backend?: TestBackend<T>
}

/** One property every policy must have. */
export interface PolicyCheck {
  readonly name: string
  /** @returns what is wrong, nothing when all is well */
  run(): string[]
}

/** A problem found by a check. */
export interface Finding {
  readonly check: string
  readonly problem: string
}

/** A policy at work: model shape, eviction, budget. */
interface Scenario<T extends TensorLike> {
  readonly label: string
  readonly backend: TestBackend<T>
  readonly policy: Policy
  readonly options: GivenOptions
  readonly shape: CacheShape
  readonly mode: EvictionMode
  readonly when: When
  readonly budget: number
}

const shapes: readonly CacheShape[] = [
  { layers: 2, queryHeads: 2, kvHeads: 2, headDim: 8, hiddenSize: 6 },
  { layers: 1, queryHeads: 6, kvHeads: 2, headDim: 8, hiddenSize: 5 },
  { layers: 1, queryHeads: 2, kvHeads: 1, headDim: 4, hiddenSize: 3 },
]

const modes: readonly EvictionMode[] = [{ mode: 'exact' }, { mode: 'buffered', buffer: 4 }]

function scenarios<T extends TensorLike>(policy: Policy, given: ConformanceOptions<T>): Scenario<T>[] {
  // Without a backend T is the reference's tensor.
  const backend = given.backend ?? (referenceTestBackend() as unknown as TestBackend<T>)
  const { options = {} } = given
  const whenOption = policy.options.when
  const all = (whenOption?.type === 'choice' ? whenOption.choices : ['decode']) as readonly When[]
  const places = options.positions === undefined ? [undefined, 'slot'] : [undefined]
  const whens = all.filter((when) => options.when === undefined || options.when === when)
  return whens.flatMap((when) =>
    (when === 'prefill' ? modes.slice(0, 1) : modes).flatMap((mode) =>
      shapes.flatMap((shape, at) =>
        places.flatMap((positions) => {
          const whole = { ...options, when, ...(positions && { positions }) }
          const choice = { policy, options: whole, mode, shape }
          const budget = (smallestBudget({ ...choice, budget: undefined }) ?? 1) + 5
          // One shape shows what slot positions do.
          if (positions && (at > 0 || !takesSlots({ ...choice, budget }))) return []
          const words = [
            when === 'prefill' ? 'after the prompt' : mode.mode,
            `${shape.queryHeads}/${shape.kvHeads} heads`,
            ...(positions ? ['slot positions'] : []),
          ]
          return [{ ...choice, label: words.join(', '), backend, when, budget }]
        }),
      ),
    ),
  )
}

/** Whether a policy can run with positions=slot, and does not by itself. */
function takesSlots(choice: PolicyChoice): boolean {
  const { positions } = choice.policy.options
  if (!positions || positions.default === 'slot') return false
  try {
    resolvePolicy(choice)
    return true
  } catch (error) {
    if (TrimError.isInstance(error) && error.code === 'TRIMKV_UNSUPPORTED') return false
    throw error
  }
}

/** A prompt, then single tokens and chunks: some fit beside what is stored, some do not. */
function schedule({ budget, when }: Pick<Scenario<TensorLike>, 'budget' | 'when'>): StepRequest[] {
  const single = (count: number): StepRequest[] => Array.from({ length: count }, () => ({ newTokens: 1 }))
  const prompt = { newTokens: budget + 7, whole: true }
  if (when === 'prefill') return [prompt, ...single(4), { newTokens: 3 }]
  return [prompt, ...single(9), { newTokens: 2 }, { newTokens: budget }, ...single(6)]
}

const tokensIn = (requests: readonly StepRequest[]): number =>
  requests.reduce((sum, request) => sum + request.newTokens, 0)

/** A cache for a scenario and a source per seat. */
function target<T extends TensorLike>(scenario: Scenario<T>, batch = 1, seed = 1): FeedTarget<T> {
  const { backend, policy, options, shape, mode, budget } = scenario
  const capacity = budget + tokensIn(schedule(scenario))
  const named = Object.entries(policyConstants(scenario))
  const constants = named.map(([name, { shape: size }]) => {
    const tensor = backend.storage.zeros({ dtype: 'f32', shape: size })
    backend.storage.write(tensor, testConstants(size))
    return [name, tensor] as const
  })
  const cache = createKvCache({
    storage: backend.storage,
    shape,
    policy,
    options,
    budget,
    mode,
    batch,
    capacity,
    constants: Object.fromEntries(constants),
  })
  return {
    backend,
    cache,
    shape,
    rotate: true,
    sources: Array.from({ length: batch }, (_, seat) => seededTokens(shape, seed + seat)),
  }
}

/** What every head keeps after each forward of a schedule. */
function keptSets<T extends TensorLike>(at: FeedTarget<T>, scenario: Scenario<T>, seat = 0): number[][][][] {
  return schedule(scenario).map((request) => {
    runForward(at, { ...request, seats: { first: seat, count: 1 } })
    return at.cache.positions(seat)
  })
}

const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b)

function sameAsFull<T extends TensorLike>(scenario: Scenario<T>): string[] {
  const roomy = { ...scenario, budget: scenario.budget + 20 }
  const requests: StepRequest[] = [
    { newTokens: 9, whole: true },
    ...Array.from({ length: 6 }, () => ({ newTokens: 1 })),
  ]
  const bounded = target(roomy)
  const whole = target({ ...roomy, policy: policies.full, options: {} })
  return requests.flatMap((request, step) => {
    const got = runForward(bounded, request).outputs
    const wanted = runForward(whole, request).outputs
    const same = got.every((out, layer) => out.every((x, i) => Object.is(x, wanted[layer]![i])))
    return same ? [] : [`forward ${step}: nothing had to go, yet attention differs from the full cache`]
  })
}

/** What is wrong with the tokens that heads keep; where heads share a budget, only their total is announced. */
function wrongSets<T extends TensorLike>({ cache }: FeedTarget<T>): string[] {
  const [seen, stored] = [cache.seen(), cache.stored()]
  const sets = cache.positions()
  const heads = sets.flatMap((ofLayer, layer) =>
    ofLayer.map((kept, head) => ({ kept, where: `layer ${layer}, head ${head}` })),
  )
  const invalid = heads.filter(
    ({ kept }) => !kept.every((p, i) => p >= 0 && p < seen && (i === 0 || p > kept[i - 1]!)),
  )
  const wrong = cache.policy.eviction?.shares ? [] : heads.filter(({ kept }) => kept.length !== stored)
  const total = heads.reduce((sum, { kept }) => sum + kept.length, 0)
  return [
    ...invalid.map(({ where }) => `${where}: positions are not ascending numbers below ${seen}`),
    ...wrong.map(({ kept, where }) => `${where}: ${kept.length} tokens kept, ${stored} announced`),
    ...(Math.abs(total - stored * heads.length) < 1e-6
      ? []
      : [`${total} tokens kept, ${stored} per head announced`]),
  ]
}

/** The most slots per head after a forward that evicts; AdaKV's own division rounds for each head. */
function mostAfterCut(eviction: Eviction | undefined): number {
  const { budget = Number.POSITIVE_INFINITY, shares } = eviction ?? {}
  if (shares?.kind === 'perLayer') return shares.budgets.reduce((a, b) => a + b, 0) / shares.budgets.length
  return budget + (shares?.kind === 'pooled' && shares.floor.kind === 'mix' ? 0.5 : 0)
}

function withinBudget<T extends TensorLike>(scenario: Scenario<T>): string[] {
  const at = target(scenario)
  const { cache } = at
  const { allocatedBytes, policyBytes } = cache.meter()
  const shares = cache.policy.eviction?.shares
  return schedule(scenario).flatMap((request, step) => {
    const { plan } = runForward(at, request)
    const meter = cache.meter()
    // Heads that share a budget take memory page by page; how much at most follows from what they store.
    const grew = !shares && (meter.allocatedBytes !== allocatedBytes || meter.policyBytes !== policyBytes)
    const stored = cache.stored()
    const over =
      plan.due[0] && (shares ? stored > mostAfterCut(cache.policy.eviction) : stored !== scenario.budget)
    const bursts = scenario.when === 'decode' && stored > cache.holds
    return [
      ...wrongSets(at).map((problem) => `forward ${step}: ${problem}`),
      ...(grew ? [`forward ${step}: the cache took more memory`] : []),
      ...(over ? [`forward ${step}: ${stored} tokens left of a budget of ${scenario.budget}`] : []),
      ...(bursts ? [`forward ${step}: ${stored} tokens are stored, ${cache.holds} at most`] : []),
    ]
  })
}

function attendsOverKept<T extends TensorLike>(scenario: Scenario<T>): string[] {
  const at = target(scenario)
  return schedule(scenario).flatMap((request, step) => {
    const stored = at.cache.positions()
    const first = at.cache.seen()
    const { outputs } = runForward(at, request)
    const rotated = at.cache.needs.slotPositions ? 'slot' : 'index'
    const keptFirst = at.cache.policy.eviction?.attends === 'kept' && request.newTokens === 1
    const kept = keptFirst ? at.cache.positions() : undefined
    const error = attentionError(at.sources[0]!, scenario.shape, { stored, kept, first, outputs, rotated })
    return error < 1e-4
      ? []
      : [`forward ${step}: attention is off by ${error} from the tokens said to be stored`]
  })
}

function protectedStay<T extends TensorLike>(scenario: Scenario<T>): string[] {
  const at = target(scenario)
  const { first = 0, last = 0 } = at.cache.policy.eviction?.protect ?? {}
  return schedule(scenario).flatMap((request, step) => {
    runForward(at, request)
    const seen = at.cache.seen()
    const grown = scenario.when === 'prefill' && step > 0
    const must = Array.from({ length: seen }, (_, i) => i).filter(
      (i) => i < first || (!grown && i >= seen - last),
    )
    const missing = must.filter((i) =>
      at.cache.positions().some((heads) => heads.some((kept) => !kept.includes(i))),
    )
    return missing.length === 0 ? [] : [`forward ${step}: protected tokens ${missing.join(', ')} are gone`]
  })
}

function keepsNoState<T extends TensorLike>(scenario: Scenario<T>): string[] {
  const at = target(scenario)
  const first = keptSets(at, scenario)
  at.cache.reset(0)
  const again = keptSets(at, scenario)
  const elsewhere = keptSets(target(scenario), scenario)
  return [
    ...(differs(first, again) ? ['after a reset the same tokens are treated differently'] : []),
    ...(differs(first, elsewhere)
      ? ['a second cache of the same policy treats the same tokens differently']
      : []),
  ]
}

function seatsAreIndependent<T extends TensorLike>(scenario: Scenario<T>): string[] {
  const both = target(scenario, 2)
  const requests = schedule(scenario)
  const together: number[][][][][] = [[], []]
  for (const [step, request] of requests.entries()) {
    const alone = request.newTokens > 1
    if (alone) for (const seat of [0, 1]) runForward(both, { ...request, seats: { first: seat, count: 1 } })
    else runForward(both, request)
    for (const seat of [0, 1]) together[seat]![step] = both.cache.positions(seat)
  }
  return [0, 1].flatMap((seat) =>
    differs(together[seat], keptSets(target(scenario, 1, 1 + seat), scenario))
      ? [`sequence ${seat} of a batch of two keeps other tokens than alone`]
      : [],
  )
}

/** The same policy, with slots kept in token order. */
const inTokenOrder = (policy: Policy): Policy => ({
  ...policy,
  parts: (given, context) => ({ ...policy.parts(given, context), orderedSlots: true }),
})

function slotOrderIsNoMatter<T extends TensorLike>(scenario: Scenario<T>): string[] {
  const free = target(scenario)
  if (free.cache.policy.eviction?.ordered !== false) return []
  const ordered = target({ ...scenario, policy: inTokenOrder(scenario.policy) })
  return differs(keptSets(free, scenario), keptSets(ordered, scenario))
    ? ['the choice depends on the order of slots: declare `orderedSlots`']
    : []
}

function paysForNeedsOnly<T extends TensorLike>(scenario: Scenario<T>): string[] {
  const { cache }: { cache: KvArena<T> } = target(scenario)
  const { window, columns } = cache.policy.needs
  const needsNothing = window === undefined && Object.keys(columns).length === 0
  const { policyBytes } = cache.meter()
  return needsNothing && policyBytes > 0 ? [`needs nothing, yet takes ${policyBytes} bytes`] : []
}

/** Every property, in the words of a test's name. */
const properties: Readonly<Record<string, <T extends TensorLike>(scenario: Scenario<T>) => string[]>> = {
  'attends like the full cache while everything fits': sameAsFull,
  'keeps what it announced, within the budget and constant memory': withinBudget,
  'attends over exactly the tokens it reports': attendsOverKept,
  'never drops a protected token': protectedStay,
  'keeps no state outside the cache': keepsNoState,
  'treats sequences of a batch as if alone': seatsAreIndependent,
  'does not depend on the order of slots unless it says so': slotOrderIsNoMatter,
  'takes memory only for what it needs': paysForNeedsOnly,
}

/**
 * The properties every policy must have, over several shapes and eviction modes, as named checks for any test runner:
 * ```ts
 * for (const check of policyChecks(myPolicy)) it(check.name, () => expect(check.run()).toEqual([]))
 * ```
 */
export function policyChecks<T extends TensorLike = RefTensor>(
  policy: Policy,
  options: ConformanceOptions<T> = {},
): PolicyCheck[] {
  return Object.entries(properties).map(([name, property]) => ({
    name,
    run: () =>
      scenarios(policy, options).flatMap((scenario) => {
        try {
          return property(scenario).map((problem) => `${scenario.label}: ${problem}`)
        } catch (error) {
          if (!TrimError.isInstance(error)) throw error
          return [`${scenario.label}: ${error.message}`]
        }
      }),
  }))
}

/** Runs all checks. @returns what is wrong, nothing when the policy conforms */
export const policyConformance = <T extends TensorLike = RefTensor>(
  policy: Policy,
  options: ConformanceOptions<T> = {},
): Finding[] =>
  policyChecks(policy, options).flatMap((check) =>
    check.run().map((problem) => ({ check: check.name, problem })),
  )
