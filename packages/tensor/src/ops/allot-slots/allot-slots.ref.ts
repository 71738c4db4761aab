import type { RefArray, SlotValues } from '../../op.ts'
import type { AllotSlotsAttrs, AllotSlotsSlots, HeadFloor } from './allot-slots.ts'

interface Slot {
  readonly head: number
  readonly score: number
  readonly index: number
}

/** Best first. */
const byRank = (a: Slot, b: Slot): number => {
  if (a.score !== b.score) return a.score < b.score ? 1 : -1
  return b.index - a.index || a.head - b.head
}

function roundHalfToEven(x: number): number {
  const low = Math.floor(x)
  if (x - low !== 0.5) return Math.round(x)
  return low % 2 === 0 ? low : low + 1
}

/** How many of the pool's winners each head has. */
function wins(heads: readonly Slot[][], budget: number, floor: HeadFloor): number[] {
  const safe = floor.kind === 'top' ? floor.slots : 0
  const pool = heads.length * (floor.kind === 'least' ? budget - floor.slots : budget)
  const sure = heads.map((slots) => slots.slice(0, safe))
  const open = heads.flatMap((slots) => slots.slice(safe)).sort(byRank)
  const winners = [...sure.flat(), ...open].slice(0, pool)
  return heads.map((_, head) => winners.filter((slot) => slot.head === head).length)
}

function quota(slots: readonly Slot[], won: number, { budget, floor, threshold }: AllotSlotsAttrs): number {
  const safe = floor.kind === 'top' || floor.kind === 'least' ? floor.slots : 0
  const above = slots.filter(({ score }) => score >= threshold).length
  const sure = slots.filter(({ score }) => score === Number.POSITIVE_INFINITY).length
  let given = won
  if (floor.kind === 'least') given = won + floor.slots
  if (floor.kind === 'mix') {
    const { share } = floor
    given = sure + roundHalfToEven((won - sure) * (1 - share) + Math.floor(share * (budget - sure)))
  }
  return Math.min(slots.length, given, Math.max(above, safe))
}

export function allotSlotsRef(
  { scores, slotIndex, count }: SlotValues<AllotSlotsSlots, RefArray>,
  { out }: { readonly out: RefArray },
  attrs: AllotSlotsAttrs,
): void {
  const [B, P, cap] = scores.shape as [number, number, number]
  for (let b = 0; b < B; b++) {
    const heads = Array.from({ length: P }, (_, head) => {
      const first = (b * P + head) * cap
      const slots = Array.from({ length: count.data[b * P + head]! }, (_, slot): Slot => {
        const score = scores.data[first + slot]!
        return {
          head,
          score: Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score,
          index: slotIndex.data[first + slot]!,
        }
      })
      return slots.sort(byRank)
    })
    const total = heads.reduce((sum, slots) => sum + slots.length, 0)
    const won = total < attrs.trigger ? undefined : wins(heads, attrs.budget, attrs.floor)
    heads.forEach((slots, head) => {
      out.data[b * P + head] = won ? quota(slots, won[head]!, attrs) : slots.length
    })
  }
}
