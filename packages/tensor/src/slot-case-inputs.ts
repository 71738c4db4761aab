import type { CaseInput, CaseRandom } from './op-case.ts'

/** Slots of a bounded cache as test data: ragged counts over B sequences and H heads. */
export interface SlotLayout {
  readonly B: number
  readonly H: number
  readonly cap: number
  /** Stored slots of each (sequence, head), row-major. */
  readonly counts: readonly number[]
  /** `ascending`: slot order is token order. `rotated`: as after victims were overwritten in place. */
  readonly order: 'ascending' | 'rotated'
}

/** Counts that touch the edges: full, almost full, one, empty, half. */
export function edgeLayout(B: number, H: number, cap: number): SlotLayout {
  const edges = [cap, Math.max(cap - 1, 0), Math.min(1, cap), 0, cap >> 1]
  return {
    B,
    H,
    cap,
    counts: Array.from({ length: B * H }, (_, i) => edges[i % edges.length]!),
    order: 'rotated',
  }
}

/** Random sizes; `minCount` slots at least in every head. */
export function randomLayout(random: CaseRandom, maxCap: number, minCount = 0): SlotLayout {
  const B = random.int(1, 3)
  const H = random.int(1, 3)
  const cap = random.int(Math.max(minCount, 1), maxCap)
  const counts = Array.from({ length: B * H }, () => (random.next() < 0.3 ? cap : random.int(minCount, cap)))
  return { B, H, cap, counts, order: random.next() < 0.5 ? 'ascending' : 'rotated' }
}

/** Tokens seen by every sequence of a layout: more than stored, so that index and slot differ. */
const seenTokens = (layout: SlotLayout): number => 2 * layout.cap + 3

/** Index of the token that is `rank`-th oldest of `n` stored ones: 0 stays (a sink), the newest is stored. */
function storedIndex(seen: number, n: number, rank: number): number {
  if (rank === 0 && n > 1) return 0
  return seen - 1 - 2 * (n - 1 - rank) - (rank < n - 1 ? (rank * 7 + n) % 2 : 0)
}

/** count [B, H] i32. */
export const countInput = (layout: SlotLayout): CaseInput => ({
  dtype: 'i32',
  shape: [layout.B, layout.H],
  fill: (i) => layout.counts[i]!,
  strided: 1,
})

/** seen [B] i32. */
export const seenInput = (layout: SlotLayout): CaseInput => ({
  dtype: 'i32',
  shape: [layout.B],
  fill: () => seenTokens(layout),
})

/** slotIndex [B, H, cap] i32; slots beyond the count hold stale but harmless numbers. */
export const slotIndexInput = (layout: SlotLayout): CaseInput => ({
  dtype: 'i32',
  shape: [layout.B, layout.H, layout.cap],
  fill: (i) => {
    const slot = i % layout.cap
    const n = layout.counts[Math.floor(i / layout.cap)]!
    if (slot >= n) return (slot * 13) % seenTokens(layout)
    const rank = layout.order === 'rotated' ? (slot + Math.floor(n / 3)) % n : slot
    return storedIndex(seenTokens(layout), n, rank)
  },
  strided: 2,
})

/** An f32 column [B, H, cap]; normal values unless `fill` says otherwise. */
export const columnInput = (layout: SlotLayout, fill?: CaseInput['fill']): CaseInput => ({
  dtype: 'f32',
  shape: [layout.B, layout.H, layout.cap],
  strided: 2,
  ...(fill ? { fill } : {}),
})

/** keys or values [B, H, cap, D]. */
export const slotRowsInput = (layout: SlotLayout, D: number, dtype: CaseInput['dtype']): CaseInput => ({
  dtype,
  shape: [layout.B, layout.H, layout.cap, D],
  strided: 3,
})

/** A valid kept table [B, H, budget] i32: an ascending subset of the stored slots, −1 at the end. */
export function keptInput(layout: SlotLayout, budget: number): CaseInput {
  const rows = layout.counts.map((n) => {
    const kept = Array.from({ length: n }, (_, slot) => slot).filter((slot) => (slot * 5 + n) % 3 !== 0)
    return kept.slice(Math.max(0, kept.length - budget))
  })
  return {
    dtype: 'i32',
    shape: [layout.B, layout.H, budget],
    fill: (i) => rows[Math.floor(i / budget)]![i % budget] ?? -1,
    strided: 2,
  }
}
