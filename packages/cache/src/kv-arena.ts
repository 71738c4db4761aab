import { fail, type Ops, type TensorLike } from '@trimkv/tensor'
import { allocated } from './allocated.ts'
import { BoundCache, type CacheParts, type StepInputs } from './bound-cache.ts'
import { type CacheMeter, type Ledger, MemoryLedger } from './cache-meter.ts'
import type { CacheShape, KvDType } from './cache-shape.ts'
import type { EvictionMode } from './eviction-mode.ts'
import { evictionRules } from './eviction-rules.ts'
import type { BoundForward } from './kv-cache.ts'
import { createLayer, layerTensors } from './layer-state.ts'
import type { GivenOptions } from './option-schema.ts'
import { PageLedger } from './page-ledger.ts'
import type { Policy } from './policy.ts'
import { RaggedCache, type RaggedParts } from './ragged-cache.ts'
import { meanSlots, planRagged } from './ragged-plan.ts'
import { clearSeats, createRaggedLayers, raggedTensors } from './ragged-tables.ts'
import { checkPinned, type PolicyChoice, type ResolvedPolicy, resolvePolicy } from './resolved-policy.ts'
import type { SeatAccess } from './seat-image.ts'
import { type SeatRange, seatRows } from './slot-set.ts'
import {
  type EvictionRules,
  planStep,
  type SeatState,
  type StepPlan,
  type StepRequest,
  usedSlots,
} from './step-plan.ts'
import type { Storage } from './storage.ts'
import { storedPositions } from './stored-positions.ts'

/** What a cache stores, where, and what it keeps when it is full. */
export interface KvCacheOptions<T extends TensorLike> {
  readonly storage: Storage<T>
  readonly shape: CacheShape
  readonly policy: Policy
  /** Options of the policy; default: those of its schema. */
  readonly options?: GivenOptions
  /** Tokens kept per layer and head; `full` needs none. */
  readonly budget?: number
  readonly mode: EvictionMode
  /** Sequences held side by side. Default 1. */
  readonly batch?: number
  /**
   * Slots per head where nothing is evicted while decoding: prompt + new tokens for `full`, budget + new tokens with
   * `when=prefill`. `{ limit }` takes address space for so many and memory page by page. Bounded caches size themselves,
   * but where heads share a budget: there it is the longest sequence, and takes address space only.
   */
  readonly capacity?: number | { readonly limit: number }
  /** Default f32. */
  readonly kvDtype?: KvDType
  /** Tensors that `policyConstants` names, [L, …] each; the cache does not own them. */
  readonly constants?: Readonly<Record<string, T>>
}

/** What a cache asks of the forward and of the caller. */
export interface CacheNeeds {
  /** The model must compute log retention. */
  readonly logBeta: boolean
  /** The first forward of a sequence must be its whole prompt. */
  readonly wholePrompt: boolean
  /** `bind` needs the rotary embedding. */
  readonly rotary: boolean
  /** A new token is rotated to its slot, `stored` and on, instead of its index, `seen` and on. */
  readonly slotPositions: boolean
}

const emptySeat: SeatState = { seen: 0, stored: 0, victimWaits: false, pinned: 0 }

/**
 * Keys and values of `batch` sequences under a policy and a hard budget. All memory is taken when it is made: M + 1 slots
 * per head in exact mode, M + buffer in buffered mode. Where heads share a budget, address space is taken then, and memory
 * page by page for the slots in use. A forward is planned, bound, run, committed:
 * ```ts
 * const plan = cache.plan({ newTokens: 1 })
 * const bound = cache.bind(ops, plan, { index, seen })   // hand `bound` to the model
 * cache.commit(plan)                                      // after the forward has run
 * ```
 * If the forward fails, `reset` the seats it ran on: what they hold is then undefined. Make caches outside `scope`, which
 * would free their tensors.
 */
export class KvArena<T extends TensorLike> implements Disposable {
  readonly needs: CacheNeeds
  /** Slots per head. */
  readonly slots: number
  readonly batch: number
  readonly policy: ResolvedPolicy
  readonly #parts: CacheParts<T>
  readonly #rules: EvictionRules
  readonly #choice: PolicyChoice
  readonly #ragged: RaggedParts<T> | undefined
  readonly #ledger: Ledger
  readonly #seats: SeatState[]
  readonly #empty: SeatState

  constructor(options: KvCacheOptions<T>) {
    const { storage, shape, batch = 1, kvDtype = 'f32', capacity, budget, mode } = options
    checkShape(shape, batch)
    const choice = { policy: options.policy, options: options.options ?? {}, budget, mode, shape }
    const policy = resolvePolicy(choice)
    checkTurning(policy, options)
    const rules = evictionRules(policy, options)
    const evicting = policy.eviction?.when === 'decode'
    const how = { reserved: !evicting && typeof capacity === 'object', findsVictim: rules.findsVictim }
    const sizes = { shape, kvDtype, batch, slots: rules.slots, needs: policy.needs }
    const constants = options.constants ?? {}
    const slotPositions = policy.eviction?.positions === 'slot'
    this.policy = policy
    this.needs = {
      logBeta: 'logBeta' in policy.needs.columns,
      wholePrompt: rules.afterPromptOnly,
      rotary: policy.needs.rotary === true || slotPositions,
      slotPositions,
    }
    this.slots = rules.slots
    this.batch = batch
    this.#rules = rules
    this.#choice = choice
    this.#ragged = createRagged({ ...sizes, storage, policy, constants }, rules)
    const layers =
      this.#ragged?.layers ??
      allocated(storage, (from) => Array.from({ length: shape.layers }, () => createLayer(from, sizes, how)))
    this.#parts = { ...sizes, storage, policy, layers, constants }
    this.#ledger = this.#ragged
      ? new PageLedger(sizes, { rules: this.#ragged.rules.ragged, pageBytes: storage.pageBytes })
      : new MemoryLedger(sizes, how)
    this.#empty = this.#ragged
      ? { ...emptySeat, heads: new Array<number>(shape.layers * shape.kvHeads).fill(0) }
      : emptySeat
    this.#seats = Array.from({ length: batch }, () => this.#empty)
  }

  /** Tokens of a sequence after which something must have been evicted. */
  get holds(): number {
    const { budget, trigger, ragged, slots } = this.#rules
    if (!ragged) return Math.min(slots, trigger)
    const [first] = ragged.triggers
    return ragged.group === 1
      ? Math.max(...ragged.triggers)
      : Math.max(budget!, Math.ceil(first! / ragged.group))
  }

  /**
   * Decides what a forward will do.
   * @throws TRIMKV_OPTION, TRIMKV_POSITION_LIMIT, TRIMKV_UNSUPPORTED
   */
  plan(request: StepRequest): StepPlan {
    const seats = request.seats ?? { first: 0, count: this.batch }
    this.#checkSeats(seats)
    const states = this.#seats.slice(seats.first, seats.first + seats.count)
    const planOf = this.#ragged ? planRagged : planStep
    return planOf(this.#rules, states, { ...request, seats })
  }

  #checkSeats({ first, count }: SeatRange): void {
    if (
      Number.isInteger(first) &&
      Number.isInteger(count) &&
      first >= 0 &&
      count >= 1 &&
      first + count <= this.batch
    )
      return
    fail(
      'TRIMKV_OPTION',
      `seats ${first} … ${first + count - 1} are not in a cache for ${this.batch} sequences`,
    )
  }

  /** Emits a planned forward over `ops`, eager or recording. The result serves every plan with the same key. */
  bind(ops: Ops<T>, plan: StepPlan, inputs: StepInputs<T>): BoundForward<T> {
    if (this.#ragged) return new RaggedCache(ops, this.#ragged, { plan, inputs })
    return new BoundCache(ops, this.#parts, { plan, inputs })
  }

  /**
   * Notes that a planned forward has run.
   * @throws TRIMKV_INVARIANT when the seats have moved on since it was planned
   */
  commit(plan: StepPlan): void {
    plan.before.forEach((seat, i) => {
      if (this.#seats[plan.seats.first + i] === seat) return
      fail('TRIMKV_INVARIANT', `seat ${plan.seats.first + i} has moved on since this forward was planned`, {
        hint: 'plan, run and commit one forward at a time',
      })
    })
    const { first, count } = plan.seats
    const after = this.#statesAfter(plan)
    const others = [...this.#seats.slice(0, first), ...this.#seats.slice(first + count)]
    this.#ledger.record(plan, { after, others })
    after.forEach((seat, i) => {
      this.#seats[first + i] = seat
    })
  }

  /** What the planned seats hold now. How many slots each head was left after a cut only the device knows. */
  #statesAfter({ after, due, seats }: StepPlan): readonly SeatState[] {
    if (!this.#ragged || !due.includes(true)) return after
    const { storage, tables } = this.#ragged
    const counts = storage.read(tables.count)
    const P = tables.count.shape[1]!
    return after.map((state, i) => {
      if (!due[i]) return state
      const seat = seats.first + i
      const heads = Array.from(counts.subarray(seat * P, (seat + 1) * P))
      return { ...state, heads, stored: meanSlots(heads) }
    })
  }

  #seat(seat: number): SeatState {
    this.#checkSeats({ first: seat, count: 1 })
    return this.#seats[seat]!
  }

  /** Tokens a sequence has read: the index of its next token. */
  seen(seat = 0): number {
    return this.#seat(seat).seen
  }

  /** Tokens of a sequence that every head keeps; where heads differ, their mean. */
  stored(seat = 0): number {
    return this.#seat(seat).stored
  }

  /** Tokens dropped per head, over the present sequences of all seats; where heads differ, their mean, rounded up. */
  get evictions(): number {
    return Math.ceil(this.#seats.reduce((sum, seat) => sum + seat.seen - seat.stored, 0))
  }

  /** Indices of the tokens kept, ascending: [layer][head]. A victim that waits to be overwritten is left out. */
  positions(seat = 0): number[][][] {
    const state = this.#seat(seat)
    const used = state.heads ? Math.max(...state.heads) : usedSlots(state)
    return this.#parts.layers.map((layer) => storedPositions(this.#parts.storage, layer, { seat, used }))
  }

  meter(): CacheMeter {
    return this.#ledger.read(this.#seats)
  }

  /** Empties a seat for another sequence. */
  reset(seat = 0): void {
    this.#checkSeats({ first: seat, count: 1 })
    const { storage, layers, shape } = this.#parts
    const range = { first: seat, count: 1 }
    this.#seats[seat] = this.#empty
    if (this.#ragged) {
      clearSeats(storage, this.#ragged, range)
      return
    }
    const fill = (tensor: T, value: number): void => {
      const rows = seatRows(storage.views, tensor, range)
      storage.write(rows, new Int32Array(shape.kvHeads).fill(value))
      if (rows !== tensor) storage.dispose(rows)
    }
    for (const { slots, victim } of layers) {
      fill(slots.count, 0)
      if (victim) fill(victim, -1)
    }
  }

  /**
   * Never evicts the first tokens of a sequence, inside its budget. A seat that is emptied forgets it.
   * @throws TRIMKV_BUDGET_TOO_SMALL naming the smallest budget that holds them, TRIMKV_OPTION when something was dropped before
   */
  pin(seat: number, tokens: number): void {
    const state = this.#seat(seat)
    checkPinned(this.#choice, this.policy, tokens)
    if (state.seen > state.stored && tokens > state.pinned) {
      fail('TRIMKV_OPTION', `The first ${tokens} tokens cannot be pinned any more`, {
        why: [`${state.seen - state.stored} tokens were evicted already`],
        hint: 'pin before the sequence is read',
      })
    }
    this.#seats[seat] = { ...state, pinned: tokens }
  }

  /** What belongs to one sequence, to copy, save or fill it. */
  seatAccess(seat: number): SeatAccess<T> {
    const state = this.#seat(seat)
    const { storage, layers } = this.#parts
    return {
      storage,
      layers,
      seat,
      inOrder: this.policy.eviction?.ordered === true,
      state,
      setState: (next) => {
        this.#ledger.take(seat, usedSlots(next))
        this.#seats[seat] = next
      },
    }
  }

  /** Frees all tensors; the cache is not usable afterwards. */
  [Symbol.dispose](): void {
    const { layers, storage } = this.#parts
    const shared = this.#ragged ? raggedTensors(this.#ragged.tables) : []
    for (const tensor of [...layers.flatMap(layerTensors), ...shared]) storage.dispose(tensor)
  }
}

/** What a cache needs beyond the usual where heads keep different numbers of slots; nothing where all keep the same. */
function createRagged<T extends TensorLike>(
  parts: Omit<CacheParts<T>, 'layers'>,
  rules: EvictionRules,
): RaggedParts<T> | undefined {
  const { ragged } = rules
  const { eviction } = parts.policy
  if (!ragged || !eviction?.shares) return undefined
  const { shares } = eviction
  const budgets = shares.kind === 'perHead' ? shares.budgets : undefined
  const made = allocated(parts.storage, (from) => createRaggedLayers(from, parts, { rules, budgets }))
  return { ...parts, ...made, rules: { ...rules, ragged }, eviction: { ...eviction, shares } }
}

/** Keys that turn at every step are rounded at every step. */
function checkTurning<T extends TensorLike>(
  { name, eviction }: ResolvedPolicy,
  { mode, kvDtype = 'f32' }: KvCacheOptions<T>,
): void {
  if (eviction?.positions !== 'slot' || eviction.when !== 'decode') return
  if (mode.mode === 'exact' && kvDtype !== 'f32') {
    fail('TRIMKV_UNSUPPORTED', `[${name}] positions=slot cannot store ${kvDtype} keys in exact mode`, {
      why: [`every key would be rounded to ${kvDtype} again after each token`],
      hint: 'store keys as f32, or evict with a buffer',
    })
  }
}

function checkShape(shape: CacheShape, batch: number): void {
  const sizes = { ...shape, batch }
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1)
      fail('TRIMKV_OPTION', `${name} must be an integer ≥ 1, got ${size}`)
  }
  if (shape.queryHeads % shape.kvHeads !== 0) {
    fail(
      'TRIMKV_OPTION',
      `${shape.queryHeads} query heads do not divide into ${shape.kvHeads} key/value heads`,
    )
  }
}

/**
 * Makes a cache. @see KvArena
 * @throws TRIMKV_OPTION, TRIMKV_BUDGET_TOO_SMALL naming the smallest valid budget, TRIMKV_POLICY_CONTRACT; what `storage` throws,
 *   such as TRIMKV_OUT_OF_MEMORY: nothing is left behind
 */
export const createKvCache = <T extends TensorLike>(options: KvCacheOptions<T>): KvArena<T> =>
  new KvArena(options)
