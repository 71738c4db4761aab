import { describe, expect, it } from 'vitest'
import { uniformDraw } from './uniform-draw.ts'

describe('uniformDraw', () => {
  const draws = (seed: number, n: number) => Array.from({ length: n }, (_, i) => uniformDraw(seed, i))

  it('gives the same numbers for the same seed and others for another', () => {
    expect(draws(7, 20)).toEqual(draws(7, 20))
    expect(draws(7, 20)).not.toEqual(draws(8, 20))
  })

  it('fills [0, 1) evenly', () => {
    const values = draws(1, 20_000)
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...values)).toBeLessThan(1)
    const buckets = new Array<number>(20).fill(0)
    for (const value of values) buckets[Math.floor(value * 20)]!++
    for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })

  it('has no correlation between neighbours or between neighbouring seeds', () => {
    const correlation = (a: number[], b: number[]) =>
      (12 * a.reduce((sum, x, i) => sum + (x - 0.5) * (b[i]! - 0.5), 0)) / a.length
    const values = draws(3, 20_000)
    expect(Math.abs(correlation(values.slice(0, -1), values.slice(1)))).toBeLessThan(0.03)
    expect(Math.abs(correlation(values, draws(4, 20_000)))).toBeLessThan(0.03)
  })
})
