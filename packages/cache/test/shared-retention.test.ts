import { describe, expect, it } from 'vitest'
import type { EvictionMode } from '../src/eviction-mode.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'

const shape = { layers: 2, queryHeads: 2, kvHeads: 2, headDim: 4 }
const heads = shape.layers * shape.kvHeads
const budget = 6
const source = seededTokens(shape, 12)

interface Choice {
  readonly scope: 'model' | 'layer'
  readonly min: number
  /** 0: none */
  readonly threshold: number
  readonly lookahead: number
}

interface Rated {
  readonly head: number
  readonly token: number
  readonly score: number
}

const best = (a: Rated, b: Rated): number => b.score - a.score || b.token - a.token || a.head - b.head

/** What is left of a token after `age` steps, or over the steps ahead, as a logarithm. */
function retention(logBeta: number, age: number, lookahead: number): number {
  if (lookahead === 1) return age * logBeta
  const ahead = Array.from({ length: lookahead }, (_, s) => Math.exp(logBeta * (age + 1 + s)))
  return Math.log(ahead.reduce((a, b) => a + b, 0))
}

/** What heads that share a budget keep, by the words of the definition. */
function cut(lists: readonly Rated[][], { min, threshold }: Choice): number[][] {
  const places = lists.length * (budget - min)
  const won = new Set(lists.flat().sort(best).slice(0, places))
  return lists.map((list) => {
    const wins = list.filter((slot) => won.has(slot)).length + min
    const above = list.filter(({ score }) => Math.exp(score) >= threshold).length
    return list
      .toSorted(best)
      .slice(0, Math.min(wins, Math.max(above, min)))
      .map(({ token }) => token)
      .sort((a, b) => a - b)
  })
}

interface Moment {
  /** Heads that share a budget. */
  readonly group: number
  readonly stored: number
  readonly seen: number
}

/** When heads that share a budget are cut. */
function isDue({ group, stored, seen }: Moment, mode: EvictionMode, { scope, threshold }: Choice): boolean {
  const buffer = mode.mode === 'exact' ? 1 : mode.buffer
  if (threshold > 0 && seen % buffer === 0) return true
  if (mode.mode === 'exact') return stored > group * budget
  const full = group * (budget + buffer)
  return scope === 'model' ? stored >= full : stored > full
}

const choices: readonly Choice[] = [
  { scope: 'model', min: 0, threshold: 0, lookahead: 1 },
  { scope: 'model', min: 0, threshold: 0.7, lookahead: 1 },
  { scope: 'model', min: 2, threshold: 0.7, lookahead: 1 },
  { scope: 'layer', min: 0, threshold: 0.8, lookahead: 1 },
  { scope: 'layer', min: 1, threshold: 0, lookahead: 1 },
  { scope: 'model', min: 0, threshold: 0, lookahead: 3 },
  { scope: 'layer', min: 1, threshold: 0, lookahead: 16 },
]

describe.each<EvictionMode>([
  { mode: 'exact' },
  { mode: 'buffered', buffer: 1 },
  { mode: 'buffered', buffer: 4 },
])('dbtrimkv, $mode $buffer', (mode) => {
  it.each(choices)(
    'keeps what plain lists keep: $scope, least $min, threshold $threshold, $lookahead ahead',
    (choice) => {
      const { scope, min, threshold, lookahead } = choice
      const backend = referenceTestBackend()
      using cache = createKvCache({
        storage: backend.storage,
        shape,
        ...parsePolicy(`dbtrimkv:scope=${scope},min=${min},threshold=${threshold},lookahead=${lookahead}`),
        budget,
        mode,
        capacity: 200,
      })
      const group = scope === 'model' ? heads : shape.kvHeads
      const newestAge = mode.mode === 'exact' ? 0 : 2
      let kept: number[][] = Array.from({ length: heads }, () => [])
      let cuts = 0
      for (let seen = 1; seen <= 60; seen++) {
        runForward({ backend, cache, shape, sources: [source] }, { newTokens: 1 })
        kept = kept.map((tokens) => [...tokens, seen - 1])
        const rated = kept.map((tokens, head) =>
          tokens.map((token): Rated => {
            const logBeta = source.logBeta(Math.floor(head / 2), token)[head % 2]!
            return { head, token, score: retention(logBeta, seen - 1 - token + newestAge, lookahead) }
          }),
        )
        const groups = Array.from({ length: heads / group }, (_, i) => i * group)
        const due = groups.map((first) =>
          isDue({ group, stored: kept.slice(first, first + group).flat().length, seen }, mode, choice),
        )
        // A threshold cuts all groups together.
        const all = threshold > 0 && due.includes(true)
        kept = groups.flatMap((first, i) => {
          if (!all && !due[i]) return kept.slice(first, first + group)
          cuts++
          return cut(rated.slice(first, first + group), choice)
        })
        expect(cache.positions().flat(), `after ${seen} tokens`).toEqual(kept)
      }
      expect(cuts).toBeGreaterThan(4)
      // Without a threshold the budget is used; one leaves less.
      const total = kept.flat().length
      if (threshold > 0) expect(total).toBeLessThan(heads * budget)
      else expect(total).toBeGreaterThanOrEqual(heads * (budget - min))
    },
  )
})
