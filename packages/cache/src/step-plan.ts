import { fail } from '@trimkv/tensor'
import type { SeatRange } from './slot-set.ts'

/** What the host knows of one sequence. */
export interface SeatState {
  /** Tokens read: the index of the next one. */
  readonly seen: number
  /** Tokens kept in every head; less than `seen` once something was evicted. Where heads differ: their mean. */
  readonly stored: number
  /** Tokens kept in each head [L · H], layer by layer, where heads differ. */
  readonly heads?: readonly number[]
  /** Whether one more slot holds a victim that the next token will overwrite. */
  readonly victimWaits: boolean
  /** First tokens that are never evicted, beside those its policy protects. */
  readonly pinned: number
}

/** When heads that keep different numbers of slots are cut; totals are over the heads that compete. */
export interface RaggedRules {
  /** Heads that compete: a layer's, or all. Without competition: 1. */
  readonly group: number
  /** Evicts when a group of heads would store so many slots after a forward; one number per group. */
  readonly triggers: readonly number[]
  /** Evicts also whenever so many tokens were read; nothing without a threshold. */
  readonly everyTokens: number | undefined
  /** The cut waits for the last layer. */
  readonly afterLastLayer: boolean
  /** Slots that fill whole pages in every table; a power of two. */
  readonly pageSlots: number
  /** What each layer keeps of a prompt, `pinned` tokens of it for certain, where layers have budgets of their own. */
  readonly layerBudgets: ((prompt: { tokens: number; pinned: number }) => readonly number[]) | undefined
}

/** Integers that decide when and where a cache evicts. */
export interface EvictionRules {
  /** Slots per head. */
  readonly slots: number
  /** Tokens left after an eviction; nothing when everything is kept. */
  readonly budget: number | undefined
  /** Evicts when so many tokens would be stored after a forward. */
  readonly trigger: number
  /** Only the first forward of a sequence, its whole prompt, evicts. */
  readonly afterPromptOnly: boolean
  /** The attention pass finds the victim of a single new token. */
  readonly findsVictim: boolean
  /** Heads keep different numbers of slots. */
  readonly ragged?: RaggedRules | undefined
}

/** What one forward will read. */
export interface StepRequest {
  /** Consecutive seats; default all. */
  readonly seats?: SeatRange
  /** New tokens of each seat. */
  readonly newTokens: number
  /** The new tokens are a whole prompt, not a piece of one: policies that rate the whole prompt insist on it. */
  readonly whole?: boolean
}

/** What one forward does to a cache; made before the forward is built, from host integers alone. */
export interface StepPlan {
  /** Forwards with the same key and the same cache run the same operations. */
  readonly key: string
  readonly seats: SeatRange
  readonly newTokens: number
  /** Which seats evict after this forward, from the first of `seats` on. */
  readonly due: readonly boolean[]
  /** First tokens of these seats that are never evicted. */
  readonly pinned: number
  /** Slots per head of the working set beside the arena; 0 when the new tokens fit into the arena. */
  readonly scratchSlots: number
  /** Slots per head that the forward looks at, where heads differ: those past it are empty in all of them. */
  readonly window?: number
  /** What the heads of each layer keep, where layers have budgets of their own and something is cut. */
  readonly layerBudgets?: readonly number[] | undefined
  /** Seats before the forward. */
  readonly before: readonly SeatState[]
  /** Seats after the forward; where heads differ and this seat evicts, before it has. */
  readonly after: readonly SeatState[]
}

/** Runs of neighbouring seats that evict. */
export function dueRuns(due: readonly boolean[]): SeatRange[] {
  const runs: { first: number; count: number }[] = []
  due.forEach((isDue, seat) => {
    const last = runs.at(-1)
    if (!isDue) return
    if (last && last.first + last.count === seat) last.count++
    else runs.push({ first: seat, count: 1 })
  })
  return runs
}

/** Slots taken in every head of a seat. */
export const usedSlots = (seat: SeatState): number => seat.stored + (seat.victimWaits ? 1 : 0)

function fits(rules: EvictionRules, seat: SeatState, newTokens: number): boolean {
  const free = rules.slots - usedSlots(seat)
  return newTokens <= free || (newTokens === 1 && seat.victimWaits)
}

function isDue(rules: EvictionRules, seat: SeatState, newTokens: number): boolean {
  if (rules.budget === undefined || (rules.afterPromptOnly && seat.seen > 0)) return false
  return seat.stored + newTokens >= rules.trigger
}

function advance(rules: EvictionRules, seat: SeatState, newTokens: number): SeatState {
  const seen = seat.seen + newTokens
  if (!isDue(rules, seat, newTokens))
    return { ...seat, seen, stored: seat.stored + newTokens, victimWaits: false }
  return { ...seat, seen, stored: rules.budget!, victimWaits: rules.findsVictim && newTokens === 1 }
}

/** Fails for tokens that do not fit although nothing may be evicted to make room for them. */
export function refuseOverflow(slots: number, stored: number, newTokens: number): never {
  return fail(
    'TRIMKV_POSITION_LIMIT',
    `The cache holds ${slots} tokens per head and would need ${stored + newTokens}`,
    {
      why: ['nothing is evicted before the tokens are stored, so every one takes a slot'],
      hint: 'create the cache with a larger capacity, or choose a policy that evicts while decoding',
      details: { slots, stored, newTokens },
    },
  )
}

/** @throws TRIMKV_OPTION */
export function checkRequest(
  rules: EvictionRules,
  seats: readonly SeatState[],
  { newTokens, whole }: StepRequest,
): void {
  if (!Number.isInteger(newTokens) || newTokens < 1) {
    fail('TRIMKV_OPTION', `newTokens must be an integer ≥ 1, got ${newTokens}`)
  }
  if (rules.afterPromptOnly && !whole && seats.some((seat) => seat.seen === 0)) {
    fail('TRIMKV_OPTION', 'This policy rates the whole prompt and was given a piece of it', {
      hint: 'read the prompt in one forward and plan it with `whole: true`',
    })
  }
}

function keyOf(
  { seats, newTokens, due, scratchSlots, before, pinned }: Omit<StepPlan, 'key'>,
  findsVictim: boolean,
): string {
  const dropsVictim = scratchSlots > 0 && before[0]!.victimWaits
  const showsDue = due.some(Boolean) && scratchSlots === 0 && !(findsVictim && newTokens === 1)
  return [
    `seats ${seats.first}+${seats.count}`,
    `new ${newTokens}`,
    ...(pinned > 0 ? [`pinned ${pinned}`] : []),
    ...(scratchSlots > 0 ? [`scratch ${scratchSlots}${before[0]!.seen === 0 ? ' from empty' : ''}`] : []),
    ...(dropsVictim ? ['drop victim'] : []),
    ...(showsDue ? [`due ${due.map(Number).join('')}`] : []),
  ].join(', ')
}

/**
 * First tokens that all these sequences never evict.
 * @throws TRIMKV_UNSUPPORTED when their numbers differ
 */
export function commonPin(seats: readonly SeatState[]): number {
  const { pinned } = seats[0]!
  if (seats.every((seat) => seat.pinned === pinned)) return pinned
  return fail('TRIMKV_UNSUPPORTED', 'Sequences that pin different numbers of tokens cannot share a forward', {
    hint: 'run one forward for each number',
  })
}

/**
 * Decides what a forward will do, from what the host knows.
 * @param seats states of the seats in `range`
 * @throws TRIMKV_OPTION, TRIMKV_POSITION_LIMIT when nothing may be evicted and the tokens do not fit,
 * TRIMKV_UNSUPPORTED when several seats at once would need a working set, or pin different numbers of tokens
 */
export function planStep(
  rules: EvictionRules,
  seats: readonly SeatState[],
  request: StepRequest & { readonly seats: SeatRange },
): StepPlan {
  checkRequest(rules, seats, request)
  const { newTokens, seats: range } = request
  const due = seats.map((seat) => isDue(rules, seat, newTokens))
  const over = seats.findIndex((seat) => !fits(rules, seat, newTokens))
  if (over >= 0 && !due[over]) refuseOverflow(rules.slots, usedSlots(seats[over]!), newTokens)
  if (over >= 0 && seats.length > 1) {
    fail(
      'TRIMKV_UNSUPPORTED',
      `${newTokens} new tokens of ${seats.length} sequences do not fit beside what is stored`,
      {
        hint: 'read longer prompts one sequence at a time',
      },
    )
  }
  const pinned = commonPin(seats)
  const scratchSlots = over < 0 ? 0 : newTokens + (seats[0]!.seen === 0 ? 0 : rules.slots)
  const after = seats.map((seat) => advance(rules, seat, newTokens))
  const plan = { seats: range, newTokens, due, pinned, scratchSlots, before: [...seats], after }
  return { ...plan, key: keyOf(plan, rules.findsVictim) }
}
