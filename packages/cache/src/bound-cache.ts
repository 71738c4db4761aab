import { fail, type Ops, type TensorLike } from '@trimkv/tensor'
import { type Appending, appendTokens, type Incoming } from './append-tokens.ts'
import { checkRotary, forwardNeeds, ratedLayer, ratesAgain } from './forward-signals.ts'
import type { HostLayer } from './host-access.ts'
import type { BoundForward, ForwardNeeds, LayerTokens } from './kv-cache.ts'
import { type LayerSizes, type LayerState, tableSpecs } from './layer-state.ts'
import type { RawQueries, Rotary } from './layer-view.ts'
import { ratedColumns, rateSlots } from './rate-slots.ts'
import { type Eviction, pinning, type ResolvedPolicy } from './resolved-policy.ts'
import {
  copySlots,
  keepSlots,
  mapTables,
  type SeatRange,
  type SlotSet,
  type SlotTables,
  seatRows,
  seatSlots,
} from './slot-set.ts'
import { dueRuns, type StepPlan } from './step-plan.ts'
import type { Storage } from './storage.ts'

/** Where the new tokens of a forward stand in their sequences. */
export interface StepInputs<T> {
  /** [B, C] i32: index of each new token in its sequence, from 0. */
  readonly index: T
  /** [B] i32: tokens read once this forward is done, the newest index + 1. */
  readonly seen: T
  /** Rate slots also where the attention pass finds the victim itself, so that `scores` can be read: for tracing. */
  readonly rated?: boolean
  /** Required where the policy reads it or keys turn: `CacheNeeds.rotary`. */
  readonly rotary?: Rotary<T>
}

/** The parts of a cache that a forward works on. */
export interface CacheParts<T extends TensorLike> extends LayerSizes {
  readonly storage: Storage<T>
  readonly policy: ResolvedPolicy
  readonly layers: readonly LayerState<T>[]
  readonly constants: Readonly<Record<string, T>>
}

/** Emits the operations of one planned forward, layer by layer. */
export class BoundCache<T extends TensorLike> implements BoundForward<T> {
  readonly needs: ForwardNeeds
  readonly scores: (T | undefined)[]
  readonly #ops: Ops<T>
  readonly #parts: CacheParts<T>
  readonly #plan: StepPlan
  readonly #inputs: StepInputs<T>
  /** That of the policy, with the pinned tokens of this plan. */
  readonly #eviction: Eviction | undefined
  readonly #appending: Appending<T>
  #scratch: SlotTables<T> | undefined

  constructor(
    ops: Ops<T>,
    parts: CacheParts<T>,
    step: { readonly plan: StepPlan; readonly inputs: StepInputs<T> },
  ) {
    this.#ops = ops
    this.#parts = parts
    this.#plan = step.plan
    this.#inputs = step.inputs
    this.#eviction = parts.policy.eviction && pinning(parts.policy.eviction, step.plan.pinned)
    const { name, needs } = parts.policy
    checkRotary(parts.policy, step.inputs.rotary)
    this.needs = forwardNeeds(parts.policy, step.plan)
    this.scores = parts.layers.map(() => undefined)
    const { storage, shape, constants } = parts
    const rates = ratesAgain(parts.policy, step.plan)
    this.#appending = { ops, storage, policy: name, needs, shape, rates, constants }
  }

  attend(layer: number, given: LayerTokens<T>): T {
    const state = this.#parts.layers[layer]
    if (!state) fail('TRIMKV_INVARIANT', `layer ${layer} of a cache for ${this.#parts.layers.length} layers`)
    const tokens = { ...given, layer, index: this.#inputs.index }
    const { seats } = this.#plan
    const slots = seatSlots(this.#ops, state.slots, seats)
    const victim = state.victim && seatRows(this.#ops, state.victim, seats)
    const ring = state.ring && seatRows(this.#ops, state.ring, seats)
    if (ring) this.#ops.ringAppend({ q: tokens.q, index: tokens.index, ring })
    const raw = given.rawQueries && { q: given.rawQueries, index: tokens.index }
    const local: LocalLayer<T> = { slots, victim, ring, raw }
    return this.#plan.scratchSlots > 0
      ? this.#attendBeside(tokens, local)
      : this.#attendInPlace(tokens, local)
  }

  #attendInPlace(tokens: Incoming<T>, { slots, victim, ring, raw }: LocalLayer<T>): T {
    const eviction = this.#eviction
    appendTokens(this.#appending, tokens, { slots, victim })
    if (eviction && victim && this.#plan.newTokens === 1) {
      const out = this.#attendFindingVictim(tokens.q, { slots, victim, eviction })
      if (this.#inputs.rated)
        this.#rate(eviction, this.#rated(tokens.layer, { slots, ring, raw }, this.#allSeats()))
      return out
    }
    const evict = (): void => {
      for (const run of eviction ? dueRuns(this.#plan.due) : [])
        this.#evict(eviction!, this.#rated(tokens.layer, { slots, ring, raw }, run))
    }
    // Several tokens attend to different ones, so what they see is not known until they have.
    if (eviction?.attends === 'kept' && this.#plan.newTokens === 1) {
      evict()
      return this.#attend(tokens.q, slots)
    }
    const out = this.#attend(tokens.q, slots)
    evict()
    return out
  }

  #attend(q: T, { keys, values, count, columns }: SlotSet<T>): T {
    const scale = 1 / Math.sqrt(this.#parts.shape.headDim)
    return this.#ops.attention({ q, keys, values, count, mass: columns.mass }, { scale })
  }

  /** Attention that also notes the slot the next token will overwrite: nothing moves. */
  #attendFindingVictim(q: T, at: { slots: SlotSet<T>; victim: T; eviction: Eviction }): T {
    const { slots, victim, eviction } = at
    const { columns, ...tables } = slots
    const { score, budget, protect } = eviction
    if (score.kind !== 'slot')
      fail('TRIMKV_INVARIANT', `attention cannot find a victim by a score of kind ${score.kind}`)
    return this.#ops.attention(
      {
        q,
        ...tables,
        seen: this.#inputs.seen,
        ...ratedColumns(score.columns, columns),
        mass: columns.mass,
        victim,
      },
      { scale: 1 / Math.sqrt(this.#parts.shape.headDim), victim: { score: score.rule, budget, ...protect } },
    )
  }

  /** One layer of some of this plan's seats, to be rated. */
  #rated(layer: number, { slots, ring, raw }: Omit<LocalLayer<T>, 'victim'>, run: SeatRange): HostLayer<T> {
    const { policy, shape } = this.#parts
    const at = { ops: this.#ops, policy: policy.name, shape, inputs: this.#inputs }
    return ratedLayer(at, { layer, slots, ring, raw }, run)
  }

  /** Where positions are slots, survivors turn to those they moved to. */
  #turn(eviction: Eviction, from: HostLayer<T>, moved: { kept: T; keys: T }): void {
    if (eviction.positions === 'slot') this.#ops.turnKeys({ ...moved, invFreq: from.rotary!.invFreq })
  }

  #rate(eviction: Eviction, from: HostLayer<T>): T {
    const scores = rateSlots({ ops: this.#ops, storage: this.#parts.storage, eviction }, from)
    this.scores[from.layer] ??= scores
    return scores
  }

  #allSeats(): SeatRange {
    return { first: 0, count: this.#plan.seats.count }
  }

  #select(eviction: Eviction, from: HostLayer<T>): T {
    const scores = this.#rate(eviction, from)
    const { slotIndex, count } = from.slots
    return this.#ops.select({ scores, slotIndex, count }, { budget: eviction.budget })
  }

  #evict(eviction: Eviction, from: HostLayer<T>): void {
    const kept = this.#select(eviction, from)
    keepSlots(this.#ops, from.slots, { kept, ordered: eviction.ordered })
    this.#turn(eviction, from, { kept, keys: from.slots.keys })
  }

  /** More new tokens than the arena has room for: attend in a working set, move back what is kept. */
  #attendBeside(tokens: Incoming<T>, { slots, victim, ring, raw }: LocalLayer<T>): T {
    const ops = this.#ops
    const eviction = this.#eviction
    if (!eviction) fail('TRIMKV_INVARIANT', 'a cache that keeps everything was planned with a working set')
    const beside = { ...this.#sharedScratch(), count: ops.copy({ x: slots.count }, { dtype: 'i32' }) }
    if (this.#plan.before[0]!.seen > 0)
      this.#fillScratch(eviction, { from: slots, to: beside, layer: tokens.layer })
    if (victim) ops.setCount({ count: victim }, { value: -1 })
    appendTokens(this.#appending, tokens, { slots: beside, victim: undefined })
    const out = this.#attend(tokens.q, beside)
    const from = this.#rated(tokens.layer, { slots: beside, ring, raw }, { first: 0, count: 1 })
    const kept = this.#select(eviction, from)
    copySlots(ops, { from: beside, to: slots, kept })
    this.#turn(eviction, from, { kept, keys: slots.keys })
    // Whoever overflows holds more than the budget, so every head keeps exactly that.
    ops.setCount({ count: slots.count }, { value: eviction.budget })
    return out
  }

  /** Copies what the arena stores, without a victim that waits to be overwritten. */
  #fillScratch(eviction: Eviction, move: { from: SlotSet<T>; to: SlotSet<T>; layer: number }): void {
    const { from, to, layer } = move
    if (this.#plan.before[0]!.victimWaits) {
      const kept = this.#selectAllButVictim(eviction, from, layer)
      copySlots(this.#ops, { from, to, kept })
      this.#ops.countKept({ kept, count: to.count })
    } else {
      copySlots(this.#ops, { from, to })
    }
  }

  /** The victim was chosen when `seen` was what is now the index of the first new token. */
  #selectAllButVictim(eviction: Eviction, slots: SlotSet<T>, layer: number): T {
    const first = this.#ops.slice(this.#inputs.index, { axis: 1, start: 0, length: 1 })
    const seen = this.#ops.reshape(first, [1])
    const { policy, shape, storage } = this.#parts
    const none = { ring: undefined, rawQueries: undefined, rotary: undefined }
    const from = { policy: policy.name, layer, shape, slots, seen, ...none }
    const scores = rateSlots({ ops: this.#ops, storage, eviction }, from)
    const { slotIndex, count } = slots
    return this.#ops.select({ scores, slotIndex, count }, { budget: eviction.budget })
  }

  /** One working set for all layers, which use it one after the other. */
  #sharedScratch(): SlotTables<T> {
    const specs = tableSpecs({ ...this.#parts, batch: 1, slots: this.#plan.scratchSlots })
    this.#scratch ??= mapTables(specs, (spec) => this.#ops.zeros(spec))
    return this.#scratch
  }
}

/** One layer, of the seats of a plan only. */
interface LocalLayer<T> {
  readonly slots: SlotSet<T>
  readonly victim: T | undefined
  readonly ring: T | undefined
  readonly raw: RawQueries<T> | undefined
}
