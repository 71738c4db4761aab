import type { LossTerms } from '../trainable.ts'

/** The mean of each term over the batches that have it, added up in their order. */
export function meanTerms(batches: readonly LossTerms[]): LossTerms {
  const sums = new Map<string, { sum: number; count: number }>()
  for (const terms of batches) {
    for (const [name, value] of Object.entries(terms)) {
      const { sum, count } = sums.get(name) ?? { sum: 0, count: 0 }
      sums.set(name, { sum: sum + value, count: count + 1 })
    }
  }
  return Object.fromEntries([...sums].map(([name, { sum, count }]) => [name, sum / count]))
}
