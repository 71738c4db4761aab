import { fail } from '@trimkv/tensor'
import { type CacheShape, type KvDType, tokenBytes } from './cache-shape.ts'
import { type EvictionMode, extraSlots } from './eviction-mode.ts'

/** A budget as people write it: tokens per layer and head, a share of the context, or memory for the whole cache. */
export type Budget =
  | { readonly unit: 'tokens'; readonly tokens: number }
  | { readonly unit: 'percent'; readonly percent: number }
  | { readonly unit: 'bytes'; readonly bytes: number }

const byteUnits: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
}

function refuse(text: string, number: string | undefined): never {
  return fail('TRIMKV_OPTION', `a budget is tokens, percent or bytes, got ${JSON.stringify(text)}`, {
    why: ['written like 512, 512tok, 25% or 256MiB'],
    ...(number && { hint: `did you mean "${number}"?` }),
  })
}

/**
 * Reads `512`, `512tok`, `25%` or `256MiB`.
 * @throws TRIMKV_OPTION for anything else
 */
export function parseBudget(text: string): Budget {
  const [, number, unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*([a-z%]*)\s*$/i.exec(text) ?? []
  if (number === undefined) refuse(text, /^\s*(\d+)/.exec(text)?.[1])
  const value = Number(number)
  const perUnit = byteUnits[unit.toLowerCase()]
  if (unit === '%') return { unit: 'percent', percent: value }
  if (perUnit !== undefined) return { unit: 'bytes', bytes: Math.floor(value * perUnit) }
  if (!Number.isInteger(value) || !['', 'tok', 'tokens'].includes(unit.toLowerCase())) {
    refuse(text, String(Math.floor(value)))
  }
  return { unit: 'tokens', tokens: value }
}

/** What a share or an amount of memory is measured against. */
export interface BudgetBasis {
  /** Tokens of this sample: prompt and what may be generated. */
  readonly contextTokens: number
  readonly shape: CacheShape
  readonly kvDtype: KvDType
  readonly mode: EvictionMode
  /** Sequences that share the memory. Default 1. */
  readonly batch?: number
}

/**
 * Tokens per layer and head that a budget allows, rounded down. Bytes pay for keys, values and positions of all slots,
 * those of the eviction mode beyond the budget included; columns of a policy come on top.
 * @returns an integer ≥ 0; caches refuse 0 with TRIMKV_BUDGET_TOO_SMALL
 */
export function budgetTokens(budget: Budget, basis: BudgetBasis): number {
  if (budget.unit === 'tokens') return budget.tokens
  if (budget.unit === 'percent') return Math.floor((basis.contextTokens * budget.percent) / 100)
  const slots = Math.floor(budget.bytes / (tokenBytes(basis.shape, basis.kvDtype) * (basis.batch ?? 1)))
  return Math.max(0, slots - extraSlots(basis.mode))
}
