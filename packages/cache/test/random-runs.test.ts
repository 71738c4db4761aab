import type { RefTensor } from '@trimkv/tensor'
import { describe, expect, it } from 'vitest'
import type { CacheShape } from '../src/cache-shape.ts'
import type { EvictionMode } from '../src/eviction-mode.ts'
import { createKvCache } from '../src/kv-arena.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import { type FeedTarget, referenceTestBackend, runForward } from '../src/testing/run-forward.ts'
import { seededTokens, type TokenSource } from '../src/testing/token-source.ts'
import { dice } from './dice.ts'

const shape: CacheShape = { layers: 1, queryHeads: 2, kvHeads: 2, headDim: 4 }
const batch = 3

type Rate = (source: TokenSource, at: { token: number; seen: number; head: number }) => number

const keyLength = (source: TokenSource, token: number, head: number): number =>
  Math.hypot(...source.k(0, token).subarray(head * shape.headDim, (head + 1) * shape.headDim))

const decayed = (mode: EvictionMode, ...[source, { token, seen, head }]: Parameters<Rate>): number =>
  Math.fround((seen - 1 + (mode.mode === 'exact' ? 0 : 2) - token) * source.logBeta(0, token)[head]!)

/** Ratings of the policies under test, written over the list of tokens. */
const rates: Readonly<Record<string, (mode: EvictionMode) => Rate>> = {
  streaming: () => (_, at) => (at.token < 4 ? Number.POSITIVE_INFINITY : at.token),
  knorm: () => (source, at) => -Math.fround(keyLength(source, at.token, at.head)),
  trimkv: (mode) => (source, at) => decayed(mode, source, at),
  'trimkv:score=knorm_alpha': (mode) => (source, at) =>
    Math.fround(decayed(mode, source, at) + Math.fround(Math.log(keyLength(source, at.token, at.head)))),
}

/** A cache as plain lists: one per seat and head. */
class TokenLists {
  readonly kept: number[][][]
  readonly seen: number[]
  readonly #rule: { rate: Rate; budget: number; trigger: number }
  readonly #sources: readonly TokenSource[]

  constructor(rule: { rate: Rate; budget: number; trigger: number }, sources: readonly TokenSource[]) {
    this.#rule = rule
    this.#sources = sources
    this.kept = sources.map(() => [[], []])
    this.seen = sources.map(() => 0)
  }

  read(seat: number, newTokens: number): void {
    const first = this.seen[seat]!
    this.seen[seat] = first + newTokens
    this.kept[seat] = this.kept[seat]!.map((old, head) => {
      const tokens = [...old, ...Array.from({ length: newTokens }, (_, c) => first + c)]
      if (tokens.length < this.#rule.trigger) return tokens
      const rate = (token: number): number =>
        this.#rule.rate(this.#sources[seat]!, { token, seen: first + newTokens, head })
      const best = tokens.toSorted((a, b) => rate(b) - rate(a) || b - a).slice(0, this.#rule.budget)
      return best.sort((a, b) => a - b)
    })
  }

  reset(seat: number): void {
    this.kept[seat] = [[], []]
    this.seen[seat] = 0
  }
}

/** One random operation on both. */
function act(roll: (n: number) => number, target: FeedTarget<RefTensor>, lists: TokenLists): string {
  const seat = roll(batch)
  const kind = roll(20)
  if (kind === 0) {
    target.cache.reset(seat)
    lists.reset(seat)
    return `reset ${seat}`
  }
  if (kind < 12) {
    runForward(target, { newTokens: 1 })
    for (let s = 0; s < batch; s++) lists.read(s, 1)
    return 'one token each'
  }
  const newTokens = kind < 15 ? 1 : 1 + roll(kind < 18 ? 6 : 30)
  runForward(target, { newTokens, seats: { first: seat, count: 1 } })
  lists.read(seat, newTokens)
  return `${newTokens} tokens of ${seat}`
}

describe.each<EvictionMode>([
  { mode: 'exact' },
  { mode: 'buffered', buffer: 1 },
  { mode: 'buffered', buffer: 5 },
])('random runs, $mode $buffer', (mode) => {
  it.each(Object.keys(rates))('%s agrees with plain lists of tokens', (name) => {
    for (let seed = 1; seed <= 3; seed++) {
      const roll = dice(seed * 7919)
      const budget = 6 + roll(10)
      const sources = Array.from({ length: batch }, (_, seat) => seededTokens(shape, 100 * seed + seat))
      const backend = referenceTestBackend()
      const cache = createKvCache({
        storage: backend.storage,
        shape,
        ...parsePolicy(name),
        budget,
        mode,
        batch,
      })
      const target = { backend, cache, shape, sources }
      const lists = new TokenLists({ rate: rates[name]!(mode), budget, trigger: cache.slots }, sources)
      const { allocatedBytes } = cache.meter()
      const done: string[] = []
      for (let step = 0; step < 100; step++) {
        done.push(act(roll, target, lists))
        for (let seat = 0; seat < batch; seat++) {
          const trace = `seed ${seed}: ${done.slice(-4).join(', ')}`
          expect(cache.positions(seat)[0], trace).toEqual(lists.kept[seat])
          expect([cache.seen(seat), cache.stored(seat)], trace).toEqual([
            lists.seen[seat],
            lists.kept[seat]![0]!.length,
          ])
        }
        expect(cache.meter().allocatedBytes).toBe(allocatedBytes)
      }
      expect(cache.evictions).toBeGreaterThan(0)
    }
  })
})
