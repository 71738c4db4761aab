import { dtypeBytes } from '@trimkv/tensor'
import type { CacheMeter, Ledger } from './cache-meter.ts'
import { tokenKvBytes } from './cache-shape.ts'
import type { LayerSizes } from './layer-state.ts'
import { groupTotals, meanSlots } from './ragged-plan.ts'
import type { RaggedRules, SeatState, StepPlan } from './step-plan.ts'

/** Heads of one seat at three moments of a forward: as it begins, with the new tokens, when it is over. */
interface SeatStep {
  readonly before: readonly number[]
  readonly full: readonly number[]
  readonly after: readonly number[]
}

/**
 * Counts what a cache takes whose heads keep different numbers of slots: pages of the operating system that hold a
 * filled slot, from host integers alone. A head's tables begin and end with a page.
 */
export class PageLedger implements Ledger {
  readonly #sizes: LayerSizes
  readonly #rules: RaggedRules
  readonly #pageBytes: number
  #peakEntries = 0
  #peakBytes = 0

  constructor(sizes: LayerSizes, how: { readonly rules: RaggedRules; readonly pageBytes: number }) {
    this.#sizes = sizes
    this.#rules = how.rules
    this.#pageBytes = how.pageBytes
  }

  #pages(slots: number, rowBytes: number): number {
    return Math.ceil((slots * rowBytes) / this.#pageBytes) * this.#pageBytes
  }

  /** Keys, values and token indices of one head. */
  #kvBytes(slots: number): number {
    const { shape, kvDtype } = this.#sizes
    return 2 * this.#pages(slots, shape.headDim * dtypeBytes(kvDtype)) + this.#columnBytes(slots)
  }

  #columnBytes(slots: number): number {
    return this.#pages(slots, dtypeBytes('f32'))
  }

  #policyBytes(slots: number): number {
    return Object.keys(this.#sizes.needs.columns).length * this.#columnBytes(slots)
  }

  #bytes(heads: readonly number[]): number {
    return heads.reduce((sum, slots) => sum + this.#kvBytes(slots) + this.#policyBytes(slots), 0)
  }

  /** What does not depend on how much is stored: counts, and the window of queries. */
  #fixed(): { readonly counters: number; readonly ring: number } {
    const { shape, batch, needs } = this.#sizes
    const counters = shape.layers * batch * shape.kvHeads * dtypeBytes('i32') * 2
    const ring = shape.layers * batch * (needs.window ?? 0) * shape.queryHeads * shape.headDim * 4
    return { counters, ring }
  }

  /** Bytes of one seat while each layer holds its new tokens and has not been cut: the most of all layers. */
  #stepPeak({ before, full, after }: SeatStep): { readonly bytes: number; readonly entries: number } {
    const { afterLastLayer } = this.#rules
    const H = this.#sizes.shape.kvHeads
    if (afterLastLayer) {
      const scores = full.reduce((sum, slots) => sum + this.#columnBytes(slots), 0)
      return { bytes: this.#bytes(full) + (full === after ? 0 : scores), entries: meanSlots(full) }
    }
    const layers = Array.from({ length: full.length / H }, (_, layer) => {
      const [start, end] = [layer * H, (layer + 1) * H]
      return this.#bytes([...after.slice(0, start), ...full.slice(start, end), ...before.slice(end)])
    })
    return { bytes: Math.max(...layers), entries: Math.max(...groupTotals(full, H)) / H }
  }

  record(
    plan: StepPlan,
    states: { readonly after: readonly SeatState[]; readonly others: readonly SeatState[] },
  ): void {
    const others = states.others.reduce((sum, seat) => sum + this.#bytes(seat.heads!), 0)
    const peaks = plan.before.map((seat, i) => {
      const after = states.after[i]!.heads!
      const full = plan.due[i] ? plan.after[i]!.heads! : after
      return this.#stepPeak({ before: seat.heads!, full, after })
    })
    const { counters, ring } = this.#fixed()
    // Sequences of a batch go through a layer together, and their peaks may lie in different layers: an upper bound.
    const bytes = peaks.reduce((sum, peak) => sum + peak.bytes, others + counters + ring)
    this.#peakBytes = Math.max(this.#peakBytes, bytes)
    this.#peakEntries = Math.max(this.#peakEntries, ...peaks.map((peak) => Math.ceil(peak.entries)))
  }

  /** Nothing to note: what a seat holds says which pages it takes. */
  take(): void {}

  read(seats: readonly SeatState[]): CacheMeter {
    const { shape, kvDtype } = this.#sizes
    const heads = seats.flatMap((seat) => seat.heads!)
    const total = heads.reduce((sum, slots) => sum + slots, 0)
    const perHead = shape.layers * shape.kvHeads
    const { counters, ring } = this.#fixed()
    const allocatedBytes = heads.reduce((sum, slots) => sum + this.#kvBytes(slots), counters)
    const policyBytes = heads.reduce((sum, slots) => sum + this.#policyBytes(slots), ring)
    return {
      entries: Math.round(total / perHead),
      logicalBytes: (total * tokenKvBytes(shape, kvDtype)) / perHead,
      allocatedBytes,
      policyBytes,
      peakEntries: this.#peakEntries,
      peakBytes: Math.max(this.#peakBytes, allocatedBytes + policyBytes),
    }
  }
}
