import { describe, expect, it } from 'vitest'
import { type Budget, budgetTokens, parseBudget, smallestBudgetBytes } from './parse-budget.ts'

describe('parseBudget', () => {
  it.each<[string, Budget]>([
    ['512', { unit: 'tokens', tokens: 512 }],
    ['512tok', { unit: 'tokens', tokens: 512 }],
    [' 512 tokens ', { unit: 'tokens', tokens: 512 }],
    ['25%', { unit: 'percent', percent: 25 }],
    ['12.5%', { unit: 'percent', percent: 12.5 }],
    ['256MiB', { unit: 'bytes', bytes: 268435456 }],
    ['1.5 GB', { unit: 'bytes', bytes: 1.5e9 }],
  ])('reads %s', (text, budget) => {
    expect(parseBudget(text)).toEqual(budget)
  })

  it.each(['', 'many', '-5', '512k tokens', '1.5', '25%%', '3 parsecs'])('refuses %j', (text) => {
    expect(() => parseBudget(text)).toThrow(/tokens, percent or bytes/)
  })

  it('suggests the number that was meant', () => {
    expect(() => parseBudget('512k tokens')).toThrow(/did you mean "512"\?/)
  })
})

describe('budgetTokens', () => {
  const shape = { layers: 2, queryHeads: 4, kvHeads: 2, headDim: 8 }
  const basis = { contextTokens: 1000, shape, kvDtype: 'bf16', mode: { mode: 'exact' } } as const
  // 2 layers · 2 heads · (2 · 8 · 2 bytes + 4 bytes of position)
  const perToken = 2 * 2 * (2 * 8 * 2 + 4)

  it('takes a share of the context, rounded down', () => {
    expect(budgetTokens({ unit: 'tokens', tokens: 7 }, basis)).toBe(7)
    expect(budgetTokens({ unit: 'percent', percent: 12.55 }, basis)).toBe(125)
  })

  it('pays from memory for every slot of the mode and every sequence', () => {
    // Two i32 counts per head.
    const counts = 2 * 2 * 8
    const budget: Budget = { unit: 'bytes', bytes: 100 * perToken + counts }
    expect(budgetTokens(budget, basis)).toBe(99)
    expect(budgetTokens(budget, { ...basis, mode: { mode: 'buffered', buffer: 30 } })).toBe(70)
    expect(budgetTokens({ unit: 'bytes', bytes: budget.bytes - 1 }, basis)).toBe(98)
    expect(budgetTokens(budget, { ...basis, batch: 2 })).toBe(48)
    expect(budgetTokens({ unit: 'bytes', bytes: 10 }, basis)).toBe(0)
  })

  it('pays for three pages per head where heads differ', () => {
    const bytes = 100 * perToken + 2 * 2 * (8 + 3 * 4096)
    const paged = { ...basis, pageBytes: 4096 }
    expect(budgetTokens({ unit: 'bytes', bytes }, paged)).toBe(99)
    const least = smallestBudgetBytes(paged)
    expect(budgetTokens({ unit: 'bytes', bytes: least }, paged)).toBe(1)
    expect(budgetTokens({ unit: 'bytes', bytes: least - 1 }, paged)).toBe(0)
  })
})
