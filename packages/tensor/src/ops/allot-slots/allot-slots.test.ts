import { describe, expect, it } from 'vitest'
import { referenceOps, refTensor } from '../../reference-backend.ts'
import type { AllotSlotsAttrs } from './allot-slots.ts'

const safe = Number.POSITIVE_INFINITY

/** Three heads of four slots; the newest of each is protected. */
const scores = [9, 8, 7, safe, 6, 2, 1, safe, 5, 4, 3, safe]

function allot(attrs: Partial<AllotSlotsAttrs>): number[] {
  const shape = [1, 3, 4]
  const inputs = {
    scores: refTensor(scores, { dtype: 'f32', shape }),
    slotIndex: refTensor([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3], { dtype: 'i32', shape }),
    count: refTensor([4, 4, 4], { dtype: 'i32', shape: [1, 3] }),
  }
  const plain: AllotSlotsAttrs = {
    budget: 2,
    trigger: 0,
    floor: { kind: 'none' },
    threshold: Number.NEGATIVE_INFINITY,
  }
  return [
    ...referenceOps()
      .allotSlots(inputs, { ...plain, ...attrs })
      .toArray(),
  ]
}

/** By hand: of the nine slots that are not protected three win. */
describe('slots of three heads', () => {
  it('go to the best', () => {
    expect(allot({})).toEqual([4, 1, 1])
    expect(allot({ trigger: 13 })).toEqual([4, 4, 4])
  })

  it('are mixed with an even share, rounded for each head', () => {
    // B′ = 1: round(3 · 0.5 + ⌊0.5⌋) = 2, half to even; round(0) = 0.
    expect(allot({ floor: { kind: 'mix', share: 0.5 } })).toEqual([3, 1, 1])
    // B′ = 2, wins 3, 1, 2: round(3 · 0.5 + 1) = 2, round(1.5) = 2, round(2) = 2.
    expect(allot({ budget: 3, floor: { kind: 'mix', share: 0.5 } })).toEqual([3, 3, 3])
  })

  it('are given to each head first', () => {
    expect(allot({ floor: { kind: 'top', slots: 2 } })).toEqual([2, 2, 2])
    expect(allot({ budget: 3, floor: { kind: 'least', slots: 1 } })).toEqual([4, 2, 2])
  })

  it('must be rated high enough', () => {
    expect(allot({ budget: 4, threshold: 5 })).toEqual([4, 2, 2])
  })
})
