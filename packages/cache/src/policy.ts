import { fail, type HeadFloor, type ProtectedRange } from '@trimkv/tensor'
import type { CacheShape } from './cache-shape.ts'
import { ageOffset, type EvictionMode } from './eviction-mode.ts'
import {
  type ChoiceOption,
  checkOptions,
  completeOptions,
  type GivenOptions,
  type OptionSchema,
  type OptionValues,
  type When,
} from './option-schema.ts'
import type { Score } from './score.ts'
import type { Transform } from './transform.ts'

/**
 * What a policy was made for:
 * - `decode`: evicts while tokens are generated (and after prompt chunks)
 * - `prefill-aware`: one cut after the whole prompt, rated by the prompt's own queries, the question included
 * - `prefill-agnostic`: one cut after the whole prompt, by a rating that no query enters
 */
export type Phase = 'decode' | 'prefill-aware' | 'prefill-agnostic'

/** How many slots each head may keep. */
export type Allocation =
  | { readonly kind: 'everything' }
  | { readonly kind: 'uniform'; readonly budget: number }
  | PerLayerBudgets
  | { readonly kind: 'perHead' /** [layer][head] */; readonly budgets: readonly (readonly number[])[] }
  | ({ readonly kind: 'pooled' } & PooledBudget)

/** A budget that heads compete for: slots of different heads are compared by their scores. */
export interface PooledBudget {
  /** Slots per head on average. */
  readonly budget: number
  /** Heads that compete: those of a layer, or all. All wait for the last layer of a forward. */
  readonly scope: 'layer' | 'model'
  /** What a head is given beside what its slots win. Default nothing: a head may end up with no slot at all. */
  readonly floor?: HeadFloor
  /**
   * Slots rated below it go however much room there is, but for the slots a floor of kind `top` or `least` gives. The
   * cache then cuts at least every `buffer` tokens. Default −∞.
   */
  readonly threshold?: number
}

/** A number of slots for each layer, the same for its heads. */
export interface PerLayerBudgets {
  readonly kind: 'perLayer'
  /** Slots that each layer's heads have room for [layer]; kept unless `keep` says less. */
  readonly budgets: readonly number[]
  /** Of a prompt of so many tokens, what each layer keeps [layer], at most `budgets`. Only with `when=prefill`. */
  readonly keep?: (promptTokens: number) => readonly number[]
}

/** Whose angle a key has: that of its token's true position, or of its slot, as if what is stored were all there is. */
export type Positions = 'keep' | 'slot'

/** Tokens that a generated token attends to: all that are stored with it, or those that are left once it has evicted. */
export type Attends = 'stored' | 'kept'

/** The option of that name, for policies whose authors evict first. */
export const attendsOption = {
  type: 'choice',
  choices: ['stored', 'kept'],
  default: 'stored',
  doc: 'what a generated token attends to: stored: all that are stored with it; kept: those that are left once it has evicted',
} as const

/** No eviction at all. */
export const everything = (): Allocation => ({ kind: 'everything' })

/** The same number of slots in every layer and head; what parts get when they name no allocation. */
export const uniform = (budget: number): Allocation => ({ kind: 'uniform', budget })

/** A number of slots for each layer, the same for its heads; `keep` makes it depend on the length of the prompt. */
export const perLayer = (
  budgets: readonly number[],
  keep?: (promptTokens: number) => readonly number[],
): PerLayerBudgets => ({ kind: 'perLayer', budgets, ...(keep && { keep }) })

/** A number of slots for each layer and head. All are cut as soon as one of them overflows. */
export const perHead = (budgets: readonly (readonly number[])[]): Allocation => ({ kind: 'perHead', budgets })

/** One budget that heads compete for (AdaKV, DBTrimKV). */
export const pooled = (pool: PooledBudget): Allocation => ({ kind: 'pooled', ...pool })

/** A policy under given options: pure values and functions, no state. */
export interface PolicyParts {
  /** Needed unless everything is kept. */
  readonly score?: Score
  readonly transforms?: readonly Transform[]
  /** Tokens that always stay, inside the budget: the first and the last of the text. */
  readonly protect?: Partial<ProtectedRange>
  readonly allocate?: Allocation
  /** Overrides the option `when`. */
  readonly when?: When
  /** Overrides the option `positions`. */
  readonly positions?: Positions
  /** Default `stored`. `kept` is for ratings that read no attention of the token itself. */
  readonly attends?: Attends
  /** Keep slots in token order even if no part asks for it. */
  readonly orderedSlots?: boolean
}

/** What parts may depend on. */
export interface PolicyContext {
  readonly budget: number
  readonly mode: EvictionMode
  readonly when: When
  readonly shape: CacheShape
  /** Age of the newest token when slots are rated: 0 in exact mode, 2 in buffered mode and after a prompt. */
  readonly ageOffset: number
}

/** How a cache is run; the same names as in the options of the engine and the flags of the command line. */
export interface PresetCache {
  /** Tokens per layer and head. */
  readonly budget?: number
  /** Evict in cuts, when so many tokens are stored beyond the budget: 1 is after every forward. */
  readonly buffer?: number
  /** Tokens of the prompt per forward; 0 reads it at once. */
  readonly chunk?: number
  /** Evict after every token, those of the prompt as well. */
  readonly exact?: true
}

/** Options under which a paper or a repository runs a policy. */
export interface Preset {
  /** Whose it is. */
  readonly name: string
  readonly options: GivenOptions
  /** What it sets beside the options of the policy. */
  readonly cache?: PresetCache
  /** What still differs. */
  readonly note?: string
}

/** A policy as its author writes it, for {@link definePolicy}. */
export interface PolicyDefinition<S extends OptionSchema> {
  /** Lower case, digits and hyphens. */
  readonly name: string
  /** Paper and equation, or reference file. */
  readonly source: string
  /** The score of a token in one line; larger stays. */
  readonly formula?: string
  readonly presets?: readonly Preset[]
  readonly phases: readonly Phase[]
  /** Default of the option `when`; default `decode` where that is one of the phases. */
  readonly when?: When
  /** Default of the option `positions`; default `keep`. */
  readonly positions?: Positions
  readonly options: S
  parts(options: OptionValues<S>, context: PolicyContext): PolicyParts
}

/** A policy as caches and tools see it. */
export interface Policy {
  readonly name: string
  readonly source: string
  readonly formula: string | undefined
  readonly presets: readonly Preset[]
  readonly phases: readonly Phase[]
  /** The policy's own options, `when` and `positions`. */
  readonly options: OptionSchema
  /** @throws TRIMKV_OPTION when a given option has no such name or value */
  parts(
    given: GivenOptions,
    context: Omit<PolicyContext, 'when' | 'ageOffset'>,
  ): PolicyParts & { readonly when: When; readonly positions: Positions }
}

function whensOf(phases: readonly Phase[]): When[] {
  const whens: When[] = phases.includes('decode') ? ['decode'] : []
  if (phases.some((phase) => phase !== 'decode')) whens.push('prefill')
  return whens
}

function whenOption(phases: readonly Phase[], fallback: When | undefined): ChoiceOption {
  const choices = whensOf(phases)
  return {
    type: 'choice',
    choices,
    default: fallback ?? choices[0]!,
    doc: 'decode: evict under the mode of the cache; prefill: cut once to the budget after the whole prompt, then grow',
  }
}

const positionsOption = (fallback: Positions): ChoiceOption => ({
  type: 'choice',
  choices: ['keep', 'slot'],
  default: fallback,
  doc: 'keep: keys keep the angle of their true position; slot: keys turn to the number of their slot, and reading goes on there',
})

function checkDefinition({ name, phases, when, options }: PolicyDefinition<OptionSchema>): void {
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
    fail('TRIMKV_POLICY_CONTRACT', `"${name}" cannot be the name of a policy`, {
      why: ['names are lower-case words joined by hyphens'],
    })
  }
  if (phases.length === 0) fail('TRIMKV_POLICY_CONTRACT', `[${name}] a policy is for at least one phase`)
  if (when && !whensOf(phases).includes(when)) {
    fail('TRIMKV_POLICY_CONTRACT', `[${name}] when=${when} is none of its phases`, {
      why: [`it is for ${phases.join(', ')}`],
    })
  }
  for (const own of ['when', 'positions']) {
    if (own in options) fail('TRIMKV_POLICY_CONTRACT', `[${name}] the option \`${own}\` is added by itself`)
  }
}

/**
 * Makes a policy out of parts: one score, transforms of it, protected tokens. Selection, storage and budget are the
 * cache's business.
 * @throws TRIMKV_POLICY_CONTRACT when name, phases or options are not usable
 */
export function definePolicy<const S extends OptionSchema>(definition: PolicyDefinition<S>): Policy {
  checkDefinition(definition as unknown as PolicyDefinition<OptionSchema>)
  const { name, source, formula, presets = [], phases } = definition
  const when = whenOption(phases, definition.when)
  const positions = positionsOption(definition.positions ?? 'keep')
  const options: OptionSchema = { ...definition.options, when, positions }
  return {
    name,
    source,
    formula,
    presets,
    phases,
    options,
    parts(given, context) {
      const checked = checkOptions(name, options, given)
      const chosen = (checked.when ?? when.default) as When
      const values = completeOptions(definition.options, checked, { budget: context.budget, when: chosen })
      const age = chosen === 'prefill' ? 2 : ageOffset(context.mode)
      const angles = (checked.positions ?? positions.default) as Positions
      const parts = definition.parts(values, { ...context, when: chosen, ageOffset: age })
      return { when: chosen, positions: angles, ...parts }
    },
  }
}
