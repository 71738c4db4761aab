import { describe, expect, it } from 'vitest'
import { type LearningRateSchedule, learningRateAt } from './learning-rate.ts'

const rates = (steps: number, schedule: LearningRateSchedule): number[] =>
  Array.from({ length: steps }, (_, index) => learningRateAt(index + 1, steps, schedule))

describe('learningRateAt', () => {
  it('rises linearly to the peak, then falls along half a cosine to the floor', () => {
    const cosine = rates(10, { peak: 1, warmupSteps: 4, decay: { kind: 'cosine', floor: 0.2 } })
    // After step 4: 0.2 + 0.4·(1 + cos(π·k/6)) for k = 1 … 6.
    const fall = [0.946410161514, 0.8, 0.6, 0.4, 0.253589838486, 0.2]
    const expected = [0.25, 0.5, 0.75, 1, ...fall]
    for (const [index, rate] of cosine.entries()) expect(rate).toBeCloseTo(expected[index]!, 12)
    expect(cosine).toHaveLength(expected.length)
  })

  it('starts to fall at once without warm-up', () => {
    const [first, middle, , last] = rates(4, { peak: 2, decay: { kind: 'cosine', floor: 0 } })
    expect(first).toBeCloseTo(1 + Math.SQRT1_2, 12)
    expect(middle).toBeCloseTo(1, 12)
    expect(last).toBeCloseTo(0, 12)
  })

  it('stays at the peak when it is constant, or when all steps are warm-up', () => {
    expect(rates(4, { peak: 0.5, warmupSteps: 2, decay: { kind: 'constant' } })).toEqual([
      0.25, 0.5, 0.5, 0.5,
    ])
    expect(rates(2, { peak: 1, warmupSteps: 2, decay: { kind: 'cosine', floor: 0 } })).toEqual([0.5, 1])
  })
})
