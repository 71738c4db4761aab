import { dtypeBytes, fail } from '@trimkv/tensor'
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
  /** Where heads may keep different numbers of slots: bytes of a page of memory, which their tables fill up. */
  readonly pageBytes?: number
}

/** Keys, values and positions. */
const tablesPerHead = 3

/** Bytes that a sequence takes beside its slots at most: two counts per head, and pages that its tables end in the middle of. */
const fixedBytes = ({ shape, pageBytes = 0 }: Pick<BudgetBasis, 'shape' | 'pageBytes'>): number =>
  shape.layers * shape.kvHeads * (2 * dtypeBytes('i32') + tablesPerHead * pageBytes)

/**
 * Tokens per layer and head that a budget allows, rounded down. Bytes pay for keys, values and positions of all slots,
 * those of the eviction mode beyond the budget included, and for whole pages where heads keep different numbers: between
 * forwards `allocatedBytes` of the meter is never more. Columns of a policy come on top, and so does what is generated
 * under a policy that cuts after the prompt only.
 * @returns an integer ≥ 0; caches refuse 0 with TRIMKV_BUDGET_TOO_SMALL
 */
export function budgetTokens(budget: Budget, basis: BudgetBasis): number {
  if (budget.unit === 'tokens') return budget.tokens
  if (budget.unit === 'percent') return Math.floor((basis.contextTokens * budget.percent) / 100)
  const sequenceBytes = budget.bytes / (basis.batch ?? 1) - fixedBytes(basis)
  const slots = Math.floor(sequenceBytes / tokenBytes(basis.shape, basis.kvDtype))
  return Math.max(0, slots - extraSlots(basis.mode))
}

/** The smallest budget in bytes that leaves room for a token. */
export const smallestBudgetBytes = (basis: BudgetBasis): number =>
  (basis.batch ?? 1) *
  (fixedBytes(basis) + tokenBytes(basis.shape, basis.kvDtype) * (1 + extraSlots(basis.mode)))
