import { scope, type TensorLike } from '@trimkv/tensor'
import type { CacheShape } from '../src/cache-shape.ts'
import type { EvictionMode } from '../src/eviction-mode.ts'
import { createKvCache } from '../src/kv-arena.ts'
import type { ParsedPolicy } from '../src/parse-policy.ts'
import type { StepRequest } from '../src/step-plan.ts'
import { runForward, type TestBackend } from '../src/testing/run-forward.ts'
import type { TokenSource } from '../src/testing/token-source.ts'

/** What one head holds when something must go: the indices of its tokens, oldest first. */
export interface HeadList {
  readonly source: TokenSource
  readonly head: number
  readonly tokens: readonly number[]
  readonly seen: number
}

/** A cache of one layer, what it reads, and a rating of its policy over plain lists of tokens. */
export interface ListReplay<T extends TensorLike> {
  readonly backend: TestBackend<T>
  readonly shape: CacheShape
  readonly policy: ParsedPolicy
  readonly budget: number
  readonly mode: EvictionMode
  /** One per seat. */
  readonly sources: readonly TokenSource[]
  readonly requests: readonly StepRequest[]
  /** Queries and keys of the sources are rotated to their positions, as a model does it. */
  readonly rotate?: boolean
  /** One number per token; larger stays, of equal ones the newer, +∞ for sure. */
  rate(at: HeadList): readonly number[]
}

function keep(scores: readonly number[], tokens: readonly number[], budget: number): number[] {
  const order = [...tokens.keys()].sort((a, b) => scores[b]! - scores[a]! || b - a)
  return order
    .slice(0, budget)
    .map((at) => tokens[at]!)
    .sort((a, b) => a - b)
}

/** What the heads of the seats hold after each forward that cuts: in the cache, and by the rating. */
export interface Held {
  readonly got: number[][][]
  readonly wanted: number[][][]
}

/** Feeds the same tokens to a cache that evicts while decoding and to plain lists. */
export function replayOnLists<T extends TensorLike>(replay: ListReplay<T>): Held[] {
  const { backend, shape, budget, mode, sources, requests, rotate = false } = replay
  const { storage } = backend
  using cache = createKvCache({
    storage,
    shape,
    ...replay.policy,
    budget,
    mode,
    batch: sources.length,
    capacity: 200,
  })
  const trigger = budget + (mode.mode === 'exact' ? 1 : mode.buffer)
  const lists = sources.map(() => Array.from({ length: shape.kvHeads }, (): number[] => []))
  const advance = (seat: number, newTokens: number): void => {
    const seen = cache.seen(seat)
    const added = Array.from({ length: newTokens }, (_, i) => seen - newTokens + i)
    lists[seat] = lists[seat]!.map((old, head) => {
      const tokens = [...old, ...added]
      if (tokens.length < trigger) return tokens
      return keep(replay.rate({ source: sources[seat]!, head, tokens, seen }), tokens, budget)
    })
  }
  return requests.flatMap((request) =>
    scope(() => {
      const target = { backend, cache, shape, sources, rotate }
      const { plan } = runForward(target, request)
      const seats = Array.from({ length: plan.seats.count }, (_, i) => plan.seats.first + i)
      for (const seat of seats) advance(seat, request.newTokens)
      if (!plan.due.includes(true)) return []
      return [{ got: seats.map((s) => cache.positions(s)[0]!), wanted: seats.map((s) => lists[s]!) }]
    }),
  )
}

/** `count` forwards of one token for all seats. */
export const singles = (count: number): StepRequest[] =>
  Array.from({ length: count }, () => ({ newTokens: 1 }))
