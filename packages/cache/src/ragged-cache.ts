import { fail, type Ops, type TensorLike } from '@trimkv/tensor'
import { type Appending, appendTokens } from './append-tokens.ts'
import type { CacheParts, StepInputs } from './bound-cache.ts'
import { checkRotary, forwardNeeds, type LayerAtCut, ratedLayer, ratesAgain } from './forward-signals.ts'
import type { BoundForward, ForwardNeeds, LayerTokens } from './kv-cache.ts'
import { layerHeads, type RaggedTables } from './ragged-tables.ts'
import { rateSlots } from './rate-slots.ts'
import { type Eviction, type HeadShares, pinning } from './resolved-policy.ts'
import {
  keepSlots,
  mapTables,
  type SeatRange,
  type SlotSet,
  seatRows,
  seatSlots,
  tableList,
} from './slot-set.ts'
import { dueRuns, type EvictionRules, type RaggedRules, type StepPlan } from './step-plan.ts'

/** The parts of a cache whose heads keep different numbers of slots. */
export interface RaggedParts<T extends TensorLike> extends CacheParts<T> {
  readonly tables: RaggedTables<T>
  readonly rules: EvictionRules & { readonly ragged: RaggedRules }
  readonly eviction: Eviction & { readonly shares: HeadShares }
}

/**
 * Emits the operations of one planned forward over heads that keep different numbers of slots: new tokens are appended
 * where they will stay, and what a cut leaves empty goes back to the system. Ops see the first `window` slots of each
 * head, so that none of them costs more than the fullest head asks for.
 */
export class RaggedCache<T extends TensorLike> implements BoundForward<T> {
  readonly needs: ForwardNeeds
  readonly scores: (T | undefined)[]
  readonly #ops: Ops<T>
  readonly #parts: RaggedParts<T>
  readonly #plan: StepPlan
  readonly #inputs: StepInputs<T>
  /** That of the policy, with the pinned tokens of this plan. */
  readonly #eviction: Eviction
  readonly #appending: Appending<T>
  readonly #runs: readonly SeatRange[]

  constructor(
    ops: Ops<T>,
    parts: RaggedParts<T>,
    step: { readonly plan: StepPlan; readonly inputs: StepInputs<T> },
  ) {
    this.#ops = ops
    this.#parts = parts
    this.#plan = step.plan
    this.#inputs = step.inputs
    this.#eviction = pinning(parts.eviction, step.plan.pinned)
    this.#runs = dueRuns(step.plan.due)
    const { name, needs } = parts.policy
    checkRotary(parts.policy, step.inputs.rotary)
    this.needs = forwardNeeds(parts.policy, step.plan)
    this.scores = parts.layers.map(() => undefined)
    const { storage, shape, constants } = parts
    const rates = ratesAgain(parts.policy, step.plan)
    this.#appending = { ops, storage, policy: name, needs, shape, rates, constants }
  }

  attend(layer: number, given: LayerTokens<T>): T {
    const { layers, shape, rules } = this.#parts
    const state = layers[layer]
    if (!state) fail('TRIMKV_INVARIANT', `layer ${layer} of a cache for ${layers.length} layers`)
    const ops = this.#ops
    const tokens = { ...given, layer, index: this.#inputs.index }
    const slots = this.#visible(state.slots)
    const ring = state.ring && seatRows(ops, state.ring, this.#plan.seats)
    if (ring) ops.ringAppend({ q: tokens.q, index: tokens.index, ring })
    appendTokens(this.#appending, tokens, { slots, victim: undefined })
    const { keys, values, count, columns } = slots
    const out = ops.attention(
      { q: tokens.q, keys, values, count, mass: columns.mass },
      { scale: 1 / Math.sqrt(shape.headDim) },
    )
    const raw = given.rawQueries && { q: given.rawQueries, index: tokens.index }
    for (const run of this.#runs) {
      const scores = this.#rate({ layer, slots, ring, raw }, run)
      if (rules.ragged.afterLastLayer) this.#keepScores(layer, run, scores)
      else this.#cutLayer(layer, run, scores)
    }
    if (rules.ragged.afterLastLayer && layer === layers.length - 1) {
      for (const run of this.#runs) this.#cutAll(run)
    }
    return out
  }

  /** The plan's seats and the slots that may be filled. */
  #visible(set: SlotSet<T>): SlotSet<T> {
    const local = seatSlots(this.#ops, set, this.#plan.seats)
    return { ...mapTables(local, (table) => this.#window(table)), count: local.count }
  }

  #window(table: T): T {
    return this.#ops.slice(table, { axis: 2, start: 0, length: this.#plan.window! })
  }

  #rate(from: LayerAtCut<T>, run: SeatRange): T {
    const { policy, shape, storage } = this.#parts
    const at = { ops: this.#ops, policy: policy.name, shape, inputs: this.#inputs }
    const rated = ratedLayer(at, from, run)
    const scores = rateSlots({ ops: this.#ops, storage, eviction: this.#eviction }, rated)
    this.scores[from.layer] ??= scores
    return scores
  }

  /** Rows of a run of this plan's seats in a table of all seats. */
  #rows(table: T, run: SeatRange): T {
    const first = this.#plan.seats.first + run.first
    return seatRows(this.#ops, table, { first, count: run.count })
  }

  /** One layer's part of a table of all heads. */
  #ofLayer(table: T, layer: number): T {
    return layerHeads(this.#ops, table, { layer, heads: this.#parts.shape.kvHeads })
  }

  #runSlots(layer: number, run: SeatRange): SlotSet<T> {
    const set = this.#parts.layers[layer]!.slots
    const rows = mapTables(set, (table) => this.#window(this.#rows(table, run)))
    return { ...rows, count: this.#rows(set.count, run) }
  }

  /** Slots that each of the heads in `from` may keep. */
  #allot(from: { scores: T; slotIndex: T; count: T }): T {
    const { eviction, rules } = this.#parts
    const { shares, budget } = eviction
    if (shares.kind !== 'pooled') fail('TRIMKV_INVARIANT', 'heads with budgets of their own do not compete')
    const { floor, threshold } = shares
    // A threshold cuts whatever is stored; a layer that is not full yet keeps what it has while others are cut.
    const trigger = rules.ragged.everyTokens === undefined ? rules.ragged.triggers[0]! : 0
    return this.#ops.allotSlots(from, { budget, trigger, floor, threshold })
  }

  #cutLayer(layer: number, run: SeatRange, scores: T): void {
    this.#keep({ layer, run, scores, quota: this.#quotaOf(layer, run, scores) })
  }

  /** Slots that each head of a layer keeps [B, H] i32. */
  #quotaOf(layer: number, run: SeatRange, scores: T): T {
    const { slotIndex, count } = this.#runSlots(layer, run)
    const { quota } = this.#parts.tables
    if (quota) return this.#ofLayer(this.#rows(quota, run), layer)
    const { layerBudgets } = this.#plan
    if (!layerBudgets) return this.#allot({ scores, slotIndex, count })
    const own = this.#ops.zeros({ dtype: 'i32', shape: count.shape })
    this.#ops.setCount({ count: own }, { value: layerBudgets[layer]! })
    return own
  }

  /** Keeps the best slots of every head of a layer and gives the memory of the others back. */
  #keep(cut: { layer: number; run: SeatRange; scores: T; quota: T }): void {
    const { scores, quota } = cut
    const ops = this.#ops
    const slots = this.#runSlots(cut.layer, cut.run)
    const { slotIndex, count } = slots
    const kept = ops.select({ scores, slotIndex, count, quota }, { budget: this.#plan.window! })
    keepSlots(ops, slots, { kept, ordered: this.#parts.eviction.ordered })
    for (const data of tableList(slots)) ops.clearSlots({ count, data })
  }

  #allScores(run: SeatRange): T {
    const { scores } = this.#parts.tables
    if (!scores) fail('TRIMKV_INVARIANT', 'a cut of all layers needs the scores of all layers')
    return this.#window(this.#rows(scores, run))
  }

  #keepScores(layer: number, run: SeatRange, scores: T): void {
    const { count } = this.#runSlots(layer, run)
    this.#ops.moveSlots({ from: scores, to: this.#ofLayer(this.#allScores(run), layer), count })
  }

  #cutAll(run: SeatRange): void {
    const { tables, layers } = this.#parts
    const scores = this.#allScores(run)
    const quota = this.#allot({
      scores,
      slotIndex: this.#window(this.#rows(tables.slotIndex, run)),
      count: this.#rows(tables.count, run),
    })
    for (const layer of layers.keys()) {
      this.#keep({ layer, run, scores: this.#ofLayer(scores, layer), quota: this.#ofLayer(quota, layer) })
    }
    this.#ops.clearSlots({ count: this.#rows(tables.none, run), data: scores })
  }
}
