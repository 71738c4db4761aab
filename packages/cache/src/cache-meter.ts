import { dtypeBytes } from '@trimkv/tensor'
import { tokenBytes, tokenKvBytes } from './cache-shape.ts'
import type { LayerSizes } from './layer-state.ts'
import { type SeatState, type StepPlan, usedSlots } from './step-plan.ts'

/** Sizes of a cache, now and at its peak. */
export interface CacheMeter {
  /** Tokens stored per layer and head, over all seats; where heads differ, their mean, rounded. */
  readonly entries: number
  /** Bytes of the keys and values of these tokens. */
  readonly logicalBytes: number
  /** Bytes taken for keys, values and bookkeeping, used or not; where heads differ, whole pages of memory. */
  readonly allocatedBytes: number
  /** Bytes taken for what only the policy needs: columns and the window of queries. */
  readonly policyBytes: number
  /**
   * Most tokens per layer and head that one sequence held during a forward, prompt chunks included: the mean over the
   * heads that share a budget.
   */
  readonly peakEntries: number
  /** Most bytes taken at once: allocated, policy and the working set of a prompt chunk. */
  readonly peakBytes: number
}

/** Keeps account of what a cache takes. */
export interface Ledger {
  /**
   * Notes a forward.
   * @param states the plan's seats once it is done, and all other seats
   */
  record(
    plan: StepPlan,
    states: { readonly after: readonly SeatState[]; readonly others: readonly SeatState[] },
  ): void
  /** Notes that a seat takes so many slots per head into use. */
  take(seat: number, used: number): void
  read(seats: readonly SeatState[]): CacheMeter
}

/** Slots that a reserved cache takes into use at a time. */
const pageSlots = 256

/** Counts what a cache takes; all from host integers. */
export class MemoryLedger implements Ledger {
  readonly #sizes: LayerSizes
  /** Slots of each seat that memory is taken for. */
  readonly #committed: number[]
  readonly #findsVictim: boolean
  #peakEntries = 0
  #peakScratch = 0

  constructor(sizes: LayerSizes, how: { readonly reserved: boolean; readonly findsVictim: boolean }) {
    this.#sizes = sizes
    this.#findsVictim = how.findsVictim
    this.#committed = Array.from({ length: sizes.batch }, () => (how.reserved ? 0 : sizes.slots))
  }

  /** Notes a forward. */
  record(plan: StepPlan): void {
    const { seats, newTokens, scratchSlots, before } = plan
    const { shape } = this.#sizes
    before.forEach((seat, i) => {
      this.#peakEntries = Math.max(this.#peakEntries, seat.stored + newTokens)
      if (scratchSlots > 0) return
      this.take(seats.first + i, usedSlots(seat) + newTokens)
    })
    const scratch = (scratchSlots * this.#slotBytes()) / shape.layers
    this.#peakScratch = Math.max(this.#peakScratch, scratch)
  }

  /** Notes that a seat takes so many slots per head into use. */
  take(seat: number, used: number): void {
    const pages = Math.ceil(used / pageSlots)
    this.#committed[seat] = Math.max(this.#committed[seat]!, Math.min(this.#sizes.slots, pages * pageSlots))
  }

  #columnBytes(): number {
    const { shape, needs } = this.#sizes
    return shape.layers * shape.kvHeads * 4 * Object.keys(needs.columns).length
  }

  /** One token in all layers and heads, columns included. */
  #slotBytes(): number {
    return tokenBytes(this.#sizes.shape, this.#sizes.kvDtype) + this.#columnBytes()
  }

  read(seats: readonly SeatState[]): CacheMeter {
    const { shape, kvDtype, batch, needs } = this.#sizes
    const slots = this.#committed.reduce((a, b) => a + b, 0)
    const entries = seats.reduce((sum, seat) => sum + seat.stored, 0)
    const counters = shape.layers * batch * shape.kvHeads * dtypeBytes('i32') * (this.#findsVictim ? 2 : 1)
    const allocatedBytes = slots * tokenBytes(shape, kvDtype) + counters
    const ringBytes = shape.layers * batch * (needs.window ?? 0) * shape.queryHeads * shape.headDim * 4
    const policyBytes = slots * this.#columnBytes() + ringBytes
    return {
      entries,
      logicalBytes: entries * tokenKvBytes(shape, kvDtype),
      allocatedBytes,
      policyBytes,
      peakEntries: this.#peakEntries,
      peakBytes: allocatedBytes + policyBytes + this.#peakScratch,
    }
  }
}
