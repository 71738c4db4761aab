import { scope, type TensorLike } from '@trimkv/tensor'
import { pick, type SeededRandom } from '@trimkv/testing'
import type { CacheShape } from '../src/cache-shape.ts'
import type { EvictionMode } from '../src/eviction-mode.ts'
import { createKvCache, type KvArena } from '../src/kv-arena.ts'
import { parsePolicy } from '../src/parse-policy.ts'
import type { SeatRange } from '../src/slot-set.ts'
import { attentionError } from '../src/testing/attention-check.ts'
import { type FeedTarget, runForward, type TestBackend } from '../src/testing/run-forward.ts'
import { seededTokens, type TokenSource } from '../src/testing/token-source.ts'

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

/** Policies that have a model here. */
export const modelledPolicies: readonly string[] = Object.keys(rates)

/** Modes the model is compared in. */
export const modelledModes: readonly EvictionMode[] = [
  { mode: 'exact' },
  { mode: 'buffered', buffer: 1 },
  { mode: 'buffered', buffer: 5 },
]

/** One thing that happens to a cache: a seat is emptied, or tokens come to some seats. */
type Operation =
  | { readonly kind: 'reset'; readonly seat: number }
  | { readonly kind: 'tokens'; readonly newTokens: number; readonly seats: SeatRange }

/** A cache and what happens to it, as plain data. */
export interface ArenaRun {
  readonly policy: string
  readonly mode: EvictionMode
  readonly budget: number
  readonly tokens: number
  readonly operations: readonly Operation[]
}

function drawOperation(random: SeededRandom): Operation {
  const seat = random.int(0, batch - 1)
  const kind = random.int(0, 19)
  if (kind === 0) return { kind: 'reset', seat }
  if (kind < 12) return { kind: 'tokens', newTokens: 1, seats: { first: 0, count: batch } }
  const newTokens = kind < 15 ? 1 : random.int(1, kind < 18 ? 6 : 30)
  return { kind: 'tokens', newTokens, seats: { first: seat, count: 1 } }
}

/** A random run of `length` operations: single tokens for all seats, chunks for one that fit or that must be compressed, resets. */
export const drawArenaRun = (
  random: SeededRandom,
  length: number,
  fixed: Partial<Pick<ArenaRun, 'policy' | 'mode'>> = {},
): ArenaRun => ({
  policy: fixed.policy ?? pick(random, modelledPolicies),
  mode: fixed.mode ?? pick(random, modelledModes),
  budget: random.int(6, 15),
  tokens: random.int(0, 2 ** 30),
  operations: Array.from({ length }, () => drawOperation(random)),
})

/** Ratings of native code are f32 sums of another order: tokens this close may change places. */
const ratingTolerance = 1e-4
const attentionTolerance = 1e-4

/** A cache as plain lists of the tokens it holds, by seat and head, kept beside a real one. */
class TokenLists {
  readonly kept: (readonly number[])[][]
  readonly seen: number[]
  readonly #rule: { readonly rate: Rate; readonly budget: number; readonly trigger: number }
  readonly #sources: readonly TokenSource[]

  constructor(rule: { rate: Rate; budget: number; trigger: number }, sources: readonly TokenSource[]) {
    this.#rule = rule
    this.#sources = sources
    this.kept = sources.map(() => [[], []])
    this.seen = sources.map(() => 0)
  }

  /** What is wrong with the tokens that the cache holds of a seat after `newTokens` more; takes over its choice among equals. */
  advance(seat: number, newTokens: number, stored: readonly (readonly number[])[]): string | undefined {
    const first = this.seen[seat]!
    this.seen[seat] = first + newTokens
    const added = Array.from({ length: newTokens }, (_, c) => first + c)
    for (const [head, old] of this.kept[seat]!.entries()) {
      const problem = this.#wrongChoice(seat, head, { candidates: [...old, ...added], stored: stored[head]! })
      if (problem) return problem
    }
    this.kept[seat] = [...stored]
    return undefined
  }

  #wrongChoice(
    seat: number,
    head: number,
    { candidates, stored }: { candidates: readonly number[]; stored: readonly number[] },
  ): string | undefined {
    const { budget, trigger } = this.#rule
    const rate = (token: number): number =>
      this.#rule.rate(this.#sources[seat]!, { token, seen: this.seen[seat]!, head })
    const best = candidates.toSorted((a, b) => rate(b) - rate(a) || b - a)
    const wanted = (candidates.length < trigger ? candidates : best.slice(0, budget)).toSorted(
      (a, b) => a - b,
    )
    if (wanted.join() === stored.join()) return undefined
    const [lost, instead] = [
      wanted.filter((t) => !stored.includes(t)),
      stored.filter((t) => !wanted.includes(t)),
    ]
    const isTie =
      lost.length === instead.length &&
      new Set(stored).size === stored.length &&
      instead.every((t) => candidates.includes(t)) &&
      Math.max(...lost.map(rate)) - Math.min(...instead.map(rate)) <=
        ratingTolerance * Math.max(1, ...lost.map((t) => Math.abs(rate(t))))
    return isTie ? undefined : `seat ${seat}, head ${head} holds ${stored.join()}, wanted ${wanted.join()}`
  }

  reset(seat: number): void {
    this.kept[seat] = [[], []]
    this.seen[seat] = 0
  }
}

/** Both sides of a comparison at work. */
interface Pair<T extends TensorLike> {
  readonly target: FeedTarget<T>
  readonly lists: TokenLists
}

function tokensCome<T extends TensorLike>(
  { target, lists }: Pair<T>,
  { newTokens, seats }: Extract<Operation, { kind: 'tokens' }>,
): string | undefined {
  const { cache, sources } = target
  const all = Array.from({ length: seats.count }, (_, i) => seats.first + i)
  const before = all.map((seat) => [lists.kept[seat]!.map((tokens) => [...tokens])])
  const { outputs } = runForward(target, { newTokens, seats })
  for (const [i, seat] of all.entries()) {
    const size = outputs[0]!.length / seats.count
    const error = attentionError(sources[seat]!, shape, {
      stored: before[i]!,
      first: lists.seen[seat]!,
      outputs: [outputs[0]!.subarray(i * size, (i + 1) * size)],
    })
    if (error > attentionTolerance) return `attention of seat ${seat} is off by ${error}`
    const problem = lists.advance(seat, newTokens, cache.positions(seat)[0]!)
    if (problem) return problem
  }
  return undefined
}

function countsDiffer<T extends TensorLike>({ target: { cache }, lists }: Pair<T>): string | undefined {
  for (let seat = 0; seat < batch; seat++) {
    const [seen, stored] = [cache.seen(seat), cache.stored(seat)]
    const wanted = lists.kept[seat]![0]!.length
    if (seen !== lists.seen[seat] || stored !== wanted)
      return `seat ${seat} has seen ${seen} and stored ${stored}, wanted ${lists.seen[seat]} and ${wanted}`
    if (stored > cache.slots) return `seat ${seat} stores ${stored} tokens in ${cache.slots} slots`
  }
  return undefined
}

function operate<T extends TensorLike>(pair: Pair<T>, operation: Operation): string | undefined {
  if (operation.kind === 'tokens') return scope(() => tokensCome(pair, operation)) ?? countsDiffer(pair)
  pair.target.cache.reset(operation.seat)
  pair.lists.reset(operation.seat)
  return countsDiffer(pair)
}

/** No operation of a run may be refused. */
function attempt<T extends TensorLike>(pair: Pair<T>, operation: Operation): string | undefined {
  try {
    return operate(pair, operation)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** A source that draws each row once. */
function remembered(source: TokenSource): TokenSource {
  const rows = (signal: keyof TokenSource) => {
    const known: Float32Array[] = []
    return (layer: number, index: number) => (known[index] ??= source[signal](layer, index))
  }
  return { q: rows('q'), k: rows('k'), v: rows('v'), logBeta: rows('logBeta'), input: rows('input') }
}

/** Where a run goes wrong. */
export interface Divergence {
  /** Index of the operation. */
  readonly at: number
  readonly problem: string
}

/** Does the run on a cache of the backend and on plain lists. @returns the first difference */
export function replayArenaRun<T extends TensorLike>(
  { policy, mode, budget, tokens, operations }: ArenaRun,
  backend: TestBackend<T>,
): Divergence | undefined {
  const sources = Array.from({ length: batch }, (_, seat) => remembered(seededTokens(shape, tokens + seat)))
  const { storage } = backend
  using cache: KvArena<T> = createKvCache({ storage, shape, ...parsePolicy(policy), budget, mode, batch })
  const rule = { rate: rates[policy]!(mode), budget, trigger: cache.slots }
  const pair = { target: { backend, cache, shape, sources }, lists: new TokenLists(rule, sources) }
  const { allocatedBytes } = cache.meter()
  for (const [at, operation] of operations.entries()) {
    const problem = attempt(pair, operation)
    if (problem) return { at, problem }
    if (cache.meter().allocatedBytes !== allocatedBytes) return { at, problem: 'the cache has grown' }
  }
  return undefined
}

/** The run without the operations that the divergence does not need: each is left out once, the last first. */
export function shrinkArenaRun<T extends TensorLike>(run: ArenaRun, backend: TestBackend<T>): ArenaRun {
  const found = replayArenaRun(run, backend)
  if (!found) return run
  let smallest = { ...run, operations: run.operations.slice(0, found.at + 1) }
  for (let at = found.at; at >= 0; at--) {
    const shorter = { ...smallest, operations: smallest.operations.filter((_, i) => i !== at) }
    if (replayArenaRun(shorter, backend)) smallest = shorter
  }
  return smallest
}
