import { afterAll, describe, expect, it } from 'vitest'
import { createDevice } from '../../device.ts'
import { supportedIsas } from '../../native-device.ts'
import { geluRef } from './gelu.ref.ts'

const reference = (values: readonly number[]): number[] => {
  const shape = [1, values.length]
  const data = new Float64Array(values.length)
  geluRef(
    { x: { dtype: 'f32', data: Float64Array.from(values), shape } },
    { out: { dtype: 'f32', data, shape } },
  )
  return [...data]
}

it('is x times the normal distribution, by tables of it', () => {
  // Φ(1), Φ(2), Φ(−3) and Φ(−6) to twelve digits and more: Abramowitz and Stegun, tables 26.1 and 26.2
  const [one, two, minusThree, minusSix] = reference([1, 2, -3, -6])
  expect(one).toBeCloseTo(0.841344746068543, 14)
  expect(two).toBeCloseTo(2 * 0.977249868051821, 14)
  expect(minusThree! / (-3 * 1.349898031630094e-3)).toBeCloseTo(1, 12)
  expect(minusSix! / (-6 * 9.865876450377e-10)).toBeCloseTo(1, 12)
})

it('goes on smoothly where one expansion takes over from the other', () => {
  const at = 2 * Math.SQRT2
  const [before, after] = reference([-at + 1e-9, -at - 1e-9])
  expect(before! / after!).toBeCloseTo(1, 7)
})

describe.each(supportedIsas())('gelu on %s', (isa) => {
  const device = createDevice({ threads: 1, isa })
  afterAll(() => device[Symbol.dispose]())
  const native = (values: readonly number[]): number[] => {
    const x = device.tensor([...values], { dtype: 'f32', shape: [1, values.length] })
    return [...device.ops.gelu({ x }).read()]
  }

  // Far below 0 the exponent is large, and its last place moves the result by as much.
  it.each([
    { from: -12, to: -4, worst: 2e-5 },
    { from: -4, to: 12, worst: 2e-6 },
  ])('is right to $worst of itself from $from to $to', ({ from, to, worst }) => {
    const values = Array.from({ length: 20_011 }, (_, i) => Math.fround(from + ((to - from) * i) / 20_010))
    const expected = reference(values)
    const off = native(values).map((value, i) => (expected[i] === 0 ? 0 : Math.abs(value / expected[i]! - 1)))
    expect(Math.max(...off)).toBeLessThan(worst)
  })

  it('gives 0 and x at the ends of the range, and NaN for NaN', () => {
    const ends = [Number.NEGATIVE_INFINITY, -1e30, 1e30, Number.POSITIVE_INFINITY, Number.NaN]
    expect(native(ends)).toEqual([-0, -0, Math.fround(1e30), Number.POSITIVE_INFINITY, Number.NaN])
    expect(reference(ends)).toEqual([-0, -0, 1e30, Number.POSITIVE_INFINITY, Number.NaN])
  })
})
