import type { RefTensor } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import type { EvictionMode } from '../src/eviction-mode.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { type Allocation, definePolicy, type PooledBudget, perHead, pooled } from '../src/policy.ts'
import { hostScore } from '../src/score.ts'
import { attentionError } from '../src/testing/attention-check.ts'
import { type FeedTarget, referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens } from '../src/testing/token-source.ts'
import { dice } from './dice.ts'

const shape: CacheShape = { layers: 2, queryHeads: 4, kvHeads: 2, headDim: 4 }
const heads = shape.layers * shape.kvHeads
const batch = 2
const budget = 6

/** Few different ratings, so that ties within and between heads are common; they change with the length of the text. */
const rate = (at: { head: number; token: number; seen: number }): number =>
  ((at.token * 7 + at.head * 3 + Math.floor(at.seen / 9)) % 5) - 2

interface Case {
  readonly allocate: Allocation
  readonly mode: EvictionMode
}

interface Rated {
  readonly head: number
  readonly token: number
  readonly score: number
}

const best = (a: Rated, b: Rated): number => b.score - a.score || b.token - a.token || a.head - b.head

/** Slots that each of some heads may keep, by the words of the definition. */
function winners(lists: readonly Rated[][], { budget: M, floor, threshold }: PooledBudget): number[] {
  const ranked = lists.map((list) => list.toSorted(best))
  const own = floor?.kind === 'top' || floor?.kind === 'least' ? floor.slots : 0
  const places = lists.length * (floor?.kind === 'least' ? M - own : M)
  const sure = floor?.kind === 'top' ? ranked.flatMap((list) => list.slice(0, own)) : []
  const others = ranked
    .flat()
    .filter((slot) => !sure.includes(slot))
    .sort(best)
  const won = [...sure, ...others].slice(0, places)
  return ranked.map((list) => {
    const wins = won.filter((slot) => list.includes(slot)).length + (floor?.kind === 'least' ? own : 0)
    const above = list.filter(({ score }) => score >= (threshold ?? Number.NEGATIVE_INFINITY)).length
    return Math.min(wins, Math.max(above, own), list.length)
  })
}

/** A cache as plain lists of tokens: [seat][head over all layers]. */
class PooledLists {
  readonly kept: number[][][] = Array.from({ length: batch }, () => Array.from({ length: heads }, () => []))
  readonly seen: number[] = new Array<number>(batch).fill(0)
  readonly #case: Case

  constructor(given: Case) {
    this.#case = given
  }

  read(seat: number, newTokens: number): void {
    const before = this.seen[seat]!
    const seen = before + newTokens
    this.seen[seat] = seen
    const full = this.kept[seat]!.map((old) => [
      ...old,
      ...Array.from({ length: newTokens }, (_, c) => before + c),
    ])
    const rated = full.map((tokens, head) =>
      tokens.map((token): Rated => ({ head, token, score: rate({ head, token, seen }) })),
    )
    const quota = this.#quota(rated, { before, seen })
    this.kept[seat] = rated.map((list, head) =>
      list
        .sort(best)
        .slice(0, quota[head])
        .map(({ token }) => token)
        .sort((a, b) => a - b),
    )
  }

  #quota(rated: readonly Rated[][], { before, seen }: { before: number; seen: number }): number[] {
    const { allocate, mode } = this.#case
    const all = rated.map((list) => list.length)
    const buffer = mode.mode === 'exact' ? 1 : mode.buffer
    if (allocate.kind === 'perHead') {
      const budgets = allocate.budgets.flat()
      return all.some((n, head) => n >= budgets[head]! + buffer) ? budgets : all
    }
    if (allocate.kind !== 'pooled') throw new Error('a case has one of two allocations')
    const group = allocate.scope === 'model' ? heads : shape.kvHeads
    const crossed =
      allocate.threshold !== undefined && Math.floor(seen / buffer) > Math.floor(before / buffer)
    const isFull = (total: number): boolean => {
      if (mode.mode === 'exact') return total > group * budget
      const limit = group * (budget + buffer)
      return allocate.scope === 'model' ? total >= limit : total > limit
    }
    const groups = Array.from({ length: heads / group }, (_, i) => rated.slice(i * group, (i + 1) * group))
    const full = groups.map((lists) => isFull(lists.flat().length))
    const cutsAll = crossed || (allocate.threshold !== undefined && full.some(Boolean))
    return groups.flatMap((lists, i) =>
      cutsAll || full[i] ? winners(lists, allocate) : lists.map((list) => list.length),
    )
  }

  reset(seat: number): void {
    this.kept[seat] = Array.from({ length: heads }, () => [])
    this.seen[seat] = 0
  }
}

/** One random operation on both. */
function act(roll: (n: number) => number, at: FeedTarget<RefTensor>, lists: PooledLists): void {
  const seat = roll(batch)
  const kind = roll(20)
  if (kind === 0) {
    at.cache.reset(seat)
    lists.reset(seat)
  } else if (kind < 12) {
    runForward(at, { newTokens: 1 })
    for (let s = 0; s < batch; s++) lists.read(s, 1)
  } else {
    const newTokens = 1 + roll(kind < 17 ? 5 : 25)
    const first = at.cache.seen(seat)
    const stored = at.cache.positions(seat)
    const { outputs } = runForward(at, { newTokens, seats: { first: seat, count: 1 } })
    lists.read(seat, newTokens)
    expect(attentionError(at.sources[seat]!, shape, { stored, first, outputs })).toBeLessThan(1e-4)
  }
}

const allocations: Readonly<Record<string, Allocation>> = {
  'over all heads': pooled({ budget, scope: 'model' }),
  'over the heads of a layer': pooled({ budget, scope: 'layer' }),
  'with tokens given to every head': pooled({ budget, scope: 'model', floor: { kind: 'least', slots: 2 } }),
  'within layers, with tokens given': pooled({ budget, scope: 'layer', floor: { kind: 'least', slots: 2 } }),
  'with the best of each head sure': pooled({ budget, scope: 'layer', floor: { kind: 'top', slots: 3 } }),
  'above a threshold': pooled({ budget, scope: 'layer', threshold: 1 }),
  'above a threshold, tokens given': pooled({
    budget,
    scope: 'model',
    threshold: 0,
    floor: { kind: 'least', slots: 1 },
  }),
  'of each head': perHead([
    [2, 9],
    [12, 1],
  ]),
}

describe.each<EvictionMode>([
  { mode: 'exact' },
  { mode: 'buffered', buffer: 1 },
  { mode: 'buffered', buffer: 5 },
])('budgets, $mode $buffer', (mode) => {
  it.each(Object.entries(allocations))('%s: agrees with plain lists of tokens', (_, allocate) => {
    const policy = definePolicy({
      name: 'rated',
      source: 'test',
      phases: ['decode'],
      options: {},
      parts: () => ({
        score: hostScore({
          orderedSlots: false,
          score: (view, head) =>
            Array.from(view.positions(head), (token) =>
              rate({ head: view.layer * shape.kvHeads + head, token, seen: view.seen }),
            ),
        }),
        allocate,
      }),
    })
    for (let seed = 1; seed <= 2; seed++) {
      const roll = dice(seed * 7919)
      const backend = referenceTestBackend()
      const options = { storage: backend.storage, shape, policy, budget, mode, batch, capacity: 4000 }
      const cache = createKvCache(options)
      const sources = Array.from({ length: batch }, (_, seat) => seededTokens(shape, 100 * seed + seat))
      const lists = new PooledLists({ allocate, mode })
      const at = { backend, cache, shape, sources }
      for (let step = 0; step < 60; step++) {
        act(roll, at, lists)
        for (let seat = 0; seat < batch; seat++) {
          const kept = lists.kept[seat]!
          expect(cache.positions(seat).flat(), `seed ${seed}, step ${step}`).toEqual(kept)
          expect(cache.stored(seat)).toBe(kept.flat().length / heads)
        }
      }
      expect(cache.evictions).toBeGreaterThan(0)
    }
  })
})
