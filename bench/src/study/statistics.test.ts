import { describe, expect, it } from 'vitest'
import { estimate, pairedTest } from './statistics.ts'

/** `right` of `count` texts with one question each are right, spread evenly. */
const texts = (right: number, count: number): number[][] =>
  Array.from({ length: count }, (_, i) => [
    Math.floor(((i + 1) * right) / count) > Math.floor((i * right) / count) ? 1 : 0,
  ])

describe('estimate', () => {
  it('gives the interval of a binomial share: 50 of 200 is 0.25 ± 1.96 · 0.0306', () => {
    const { mean, low, high } = estimate(texts(50, 200))
    expect(mean).toBe(0.25)
    expect(Math.abs(low - 0.19)).toBeLessThan(0.0101)
    expect(Math.abs(high - 0.31)).toBeLessThan(0.0101)
  })

  it('is wider where the questions of a text are right or wrong together', () => {
    const alone = estimate(texts(60, 120))
    const together = estimate(texts(20, 40).map(([right]) => [right!, right!, right!]))
    expect(together.mean).toBe(alone.mean)
    expect(together.high - together.low).toBeGreaterThan(1.4 * (alone.high - alone.low))
  })

  it('weighs questions, not texts', () => {
    expect(estimate([[1, 1, 1], [0]]).mean).toBe(0.75)
  })

  it('has no width where all are right', () => {
    expect(estimate(texts(30, 30))).toEqual({ mean: 1, low: 1, high: 1 })
  })
})

describe('pairedTest', () => {
  it('finds no lead between equal results', () => {
    expect(pairedTest(texts(40, 100), texts(40, 100))).toBe(1)
  })

  it('is sure of a clear lead, and that there is none the other way round', () => {
    expect(pairedTest(texts(90, 100), texts(40, 100))).toBeLessThan(1e-4)
    expect(pairedTest(texts(40, 100), texts(90, 100))).toBeGreaterThan(0.999)
  })

  it('agrees with the exact count: five wins and no loss come by chance once in 32', () => {
    const wins = Array.from({ length: 5 }, () => [1])
    expect(
      pairedTest(
        wins,
        wins.map(() => [0]),
      ),
    ).toBeCloseTo(1 / 32, 2)
  })

  it('looks at the texts one by one: the same lead is surer where it always has the same sign', () => {
    const base = Array.from({ length: 40 }, (_, i) => [(i % 10) / 20])
    const steady = base.map(([share]) => [share! + 0.05])
    const unsteady = base.map(([share], i) => [share! + (i % 2 === 0 ? 0.45 : -0.35)])
    expect(pairedTest(steady, base)).toBeLessThan(1e-4)
    expect(pairedTest(unsteady, base)).toBeGreaterThan(0.05)
  })
})
