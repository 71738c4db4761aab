import {
  budgetTokens,
  type CacheShape,
  type EvictionMode,
  type GivenOptions,
  headSlots,
  type KvDType,
  kvDtypes,
  type Policy,
  parseBudget,
  parsePolicy,
  smallestBudgetBytes,
} from '@trimkv/cache'
import type { DecoderSpec } from '@trimkv/models'
import { fail } from '@trimkv/tensor'

/** Budget where none is given, in tokens per layer and head. */
export const defaultBudget = 512

/** Tokens stored beyond the budget before a cut where nothing is said; the released TRIM-KV examples use the same. */
export const defaultBuffer = 128

/** A policy by name (`'snapkv:window=8'`), as a value, or with options. */
export type PolicyInput = string | Policy | { readonly policy: Policy; readonly options: GivenOptions }

/** How a sequence is cached. The same options for every call that runs a model. */
export interface CacheOptions {
  /** Default: `trimkv` when the model has gates, else `full`. */
  readonly policy?: PolicyInput
  /**
   * Tokens kept per layer and head, or text: `'512'`; `'25%'` of prompt and answer, or of `maxTokens` where there is that option;
   * `'256MiB'` for all sequences of a batch together. Default 512.
   */
  readonly budget?: number | string
  /** Evict in cuts, when so many tokens are stored beyond the budget. Default 128. */
  readonly buffer?: number
  /** Evict after every token, by Algorithm 1 of the TRIM-KV paper: tokens are then read one at a time. */
  readonly exact?: boolean
  /** Storage of keys and values. Default f32. */
  readonly kvDtype?: KvDType
  /** Prompt tokens per forward; 0 reads the prompt at once. Default 512, or all for policies that rate a whole prompt. */
  readonly chunk?: number
  /** First tokens of a sequence that are never evicted, inside the budget. Default 0. */
  readonly pin?: number
  /** Allow positions past the longest sequence the model was made for. */
  readonly beyondLimit?: boolean
  /** Added to every rotary position. Default 0. */
  readonly positionOffset?: number
}

/** Cache options with every choice made. */
export interface CacheSettings {
  readonly policy: Policy
  readonly policyOptions: GivenOptions
  /** Tokens per layer and head; policies that keep everything do not look at it. */
  readonly budget: number
  readonly mode: EvictionMode
  readonly kvDtype: KvDType
  /** Tokens per forward; undefined: not chosen by the caller; 0: all. */
  readonly chunk: number | undefined
  readonly pin: number
  readonly beyondLimit: boolean
  readonly positionOffset: number
}

/** The shape of the cache that a model needs. */
export const cacheShape = (spec: DecoderSpec): CacheShape => ({
  layers: spec.layers,
  queryHeads: spec.heads,
  kvHeads: spec.kvHeads,
  headDim: spec.headDim,
  hiddenSize: spec.hiddenSize,
})

function chosenPolicy(input: PolicyInput): { policy: Policy; policyOptions: GivenOptions } {
  if (typeof input === 'string') {
    const { policy, options } = parsePolicy(input)
    return { policy, policyOptions: options }
  }
  return 'parts' in input
    ? { policy: input, policyOptions: {} }
    : { policy: input.policy, policyOptions: input.options }
}

function chosenMode({ exact, buffer, chunk }: CacheOptions): EvictionMode {
  if (!exact) return { mode: 'buffered', buffer: buffer ?? defaultBuffer }
  if (buffer !== undefined) {
    fail('TRIMKV_OPTION', 'exact and buffer exclude each other', {
      why: ['exact evicts after every token; buffer says how many tokens wait for a cut'],
      details: { option: 'buffer' },
    })
  }
  if (chunk !== undefined && chunk !== 1) {
    fail('TRIMKV_OPTION', `exact reads one token at a time, got chunk ${chunk}`, {
      details: { option: 'chunk' },
    })
  }
  return { mode: 'exact' }
}

function checkInteger(option: string, value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return
  fail('TRIMKV_OPTION', `${option} must be an integer ≥ 0, got ${value}`, { details: { option, value } })
}

function checkStorage(value: KvDType): void {
  if (kvDtypes.includes(value)) return
  fail('TRIMKV_OPTION', `kvDtype must be one of ${kvDtypes.join(', ')}, got ${value}`, {
    details: { option: 'kvDtype', value },
  })
}

/** What a share of a budget is measured against. */
export interface BudgetContext {
  readonly spec: DecoderSpec
  readonly hasGates: boolean
  /** Tokens of the sequence when it ends. */
  readonly contextTokens: number
  /** Sequences side by side. */
  readonly batch: number
  /**
   * A page of the device's memory. Default 4096. Only budgets in bytes depend on it, and only where heads keep different
   * numbers of slots.
   */
  readonly pageBytes?: number
}

const usualPageBytes = 4096

/** Tokens per layer and head. */
function tokensOf(
  budget: number | string,
  choice: Pick<CacheSettings, 'policy' | 'policyOptions' | 'mode' | 'kvDtype'>,
  { spec, contextTokens, batch, pageBytes = usualPageBytes }: BudgetContext,
): number {
  if (typeof budget === 'number') return budget
  const parsed = parseBudget(budget)
  const { policy, policyOptions: options, mode, kvDtype } = choice
  const shape = cacheShape(spec)
  const heads = parsed.unit === 'bytes' ? headSlots({ policy, options, mode, shape }) : 'all'
  const basis = { contextTokens, shape, kvDtype, mode, batch, ...(heads === 'uneven' && { pageBytes }) }
  const tokens = budgetTokens(parsed, basis)
  if (parsed.unit !== 'bytes' || heads === 'all' || tokens >= 1) return tokens
  const least = smallestBudgetBytes(basis)
  return fail('TRIMKV_BUDGET_TOO_SMALL', `A budget of ${budget} is too small for ${policy.name}`, {
    why: [
      `one token and those stored beyond the budget take ${least} bytes in all heads`,
      ...(heads === 'uneven'
        ? [`heads keep different numbers of tokens, each in pages of ${pageBytes} bytes`]
        : []),
    ],
    hint: `give at least ${least}B, or less buffer`,
    details: { policy: policy.name, budget: parsed.bytes, smallest: least },
  })
}

/**
 * Fills in the defaults and turns a budget into tokens.
 * @throws TRIMKV_OPTION
 */
export function resolveCacheOptions(options: CacheOptions, context: BudgetContext): CacheSettings {
  checkInteger('chunk', options.chunk)
  checkInteger('pin', options.pin)
  checkInteger('positionOffset', options.positionOffset)
  const { policy, policyOptions } = chosenPolicy(options.policy ?? (context.hasGates ? 'trimkv' : 'full'))
  const mode = chosenMode(options)
  const { kvDtype = 'f32' } = options
  checkStorage(kvDtype)
  const { budget = defaultBudget } = options
  return {
    policy,
    policyOptions,
    budget: tokensOf(budget, { policy, policyOptions, mode, kvDtype }, context),
    mode,
    kvDtype,
    chunk: mode.mode === 'exact' ? 1 : options.chunk,
    pin: options.pin ?? 0,
    beyondLimit: options.beyondLimit ?? false,
    positionOffset: options.positionOffset ?? 0,
  }
}
