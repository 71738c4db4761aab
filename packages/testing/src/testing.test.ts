import { describe, expect, it } from 'vitest'
import { closeness, relativeError } from './closeness.ts'
import { seededRandom } from './seeded-random.ts'
import { toBeClose } from './to-be-close.ts'

expect.extend({ toBeClose })

const draw = (seed: number, count: number) => {
  const random = seededRandom(seed)
  return Array.from({ length: count }, () => random.next())
}

describe('seededRandom', () => {
  it('repeats itself for a seed and differs between neighbouring seeds', () => {
    expect(draw(7, 20)).toEqual(draw(7, 20))
    expect(new Set([...draw(7, 20), ...draw(8, 20), ...draw(0, 20)]).size).toBe(60)
  })

  it('is uniform, and normal with mean 0 and variance 1', () => {
    const random = seededRandom(1)
    const bins = new Array<number>(10).fill(0)
    for (let i = 0; i < 10_000; i++) bins[Math.floor(random.next() * 10)]!++
    expect(Math.min(...bins)).toBeGreaterThan(900)
    const values = Array.from({ length: 10_000 }, () => random.normal())
    const mean = values.reduce((a, b) => a + b) / 10_000
    expect(Math.abs(mean)).toBeLessThan(0.05)
    expect(values.reduce((a, b) => a + (b - mean) ** 2, 0) / 10_000).toBeCloseTo(1, 1)
  })

  it('draws both ends of an integer range and nothing else', () => {
    const random = seededRandom(2)
    expect(new Set(Array.from({ length: 200 }, () => random.int(-1, 2)))).toEqual(new Set([-1, 0, 1, 2]))
  })
})

describe('closeness', () => {
  it('measures the relative norm and finds the worst element', () => {
    expect(closeness([3, 4.5], [3, 4])).toEqual({
      relative: 0.1,
      largest: 0.5,
      worst: 1,
      mismatch: undefined,
    })
    expect(relativeError([0.25], [0])).toBe(0.25)
  })

  it('never accepts NaN or infinity for a number, nor the other infinity', () => {
    const inf = Number.POSITIVE_INFINITY
    expect(relativeError([Number.NaN, -inf, 1], [Number.NaN, -inf, 1])).toBe(0)
    for (const [a, b] of [
      [Number.NaN, 1],
      [1, Number.NaN],
      [inf, -inf],
      [inf, 3],
      [Number.NaN, inf],
    ] as const) {
      expect(relativeError([a], [b])).toBe(inf)
    }
    expect(relativeError([1], [1, 2])).toBe(inf)
  })
})

describe('toBeClose', () => {
  it('applies both bounds', () => {
    expect([1, 2]).toBeClose([1, 2.001], { relative: 1e-3, absolute: 0.002 })
    expect([1, 2]).not.toBeClose([1, 2.001], { relative: 1e-4 })
    expect([1, 2]).not.toBeClose([1, 2.001], { absolute: 1e-4 })
    expect(() => expect([1, 2]).toBeClose([1, 3], { relative: 0.1 })).toThrow(/element 1 is 2, expected 3/)
  })
})
