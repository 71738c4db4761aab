import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { createDevice } from '../../device.ts'
import { supportedIsas } from '../../native-device.ts'
import { roundTo } from '../../round.ts'

/** Every finite f16 value, signs, zeros and subnormals included. */
const halves = Float32Array.from({ length: 2 * 31 * 1024 }, (_, bits) => {
  const [sign, exponent, fraction] = [bits & 1 ? -1 : 1, (bits >> 11) % 31, (bits >> 1) % 1024]
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25))
})

/** Every f16 value, what lies half-way to its neighbour, and the f32 values next to that. */
function nearTies(): Float32Array {
  const words = new Uint32Array(halves.buffer.slice(0))
  const numbers = new Float32Array(words.buffer)
  const random = seededRandom(1)
  for (const i of words.keys()) {
    const tie = numbers[i]! * (1 + 2 ** -11)
    numbers[i] = Math.abs(tie) < 2 ** -14 ? numbers[i]! + Math.sign(tie) * 2 ** -25 : tie
    words[i]! += random.int(-1, 1)
  }
  return numbers
}

/** Every finite f8 value. */
const eighths = Float32Array.from({ length: 254 }, (_, bits) => {
  const [sign, exponent, fraction] = [bits & 1 ? -1 : 1, bits >> 4, (bits >> 1) % 8]
  return sign * (exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10))
})

/** Every f8 value, what lies half-way to the next, and the f32 values beside these. */
const nearEighths = [...eighths].flatMap((value) => {
  const magnitude = Math.abs(value)
  const step = 2 ** (Math.max(Math.floor(Math.log2(magnitude || 1)), -6) - 3)
  const tie = Math.sign(value) * (magnitude + step / 2)
  return [value, tie * (1 - 2 ** -20), tie, tie * (1 + 2 ** -20)]
})

describe.each(supportedIsas())('copy on %s', (isa) => {
  const device = createDevice({ threads: 2, isa })
  afterAll(() => device[Symbol.dispose]())

  it('widens every f16 value exactly', () => {
    const x = device.tensor(halves, { dtype: 'f16', shape: [halves.length] })
    expect(device.ops.copy({ x }, { dtype: 'f32' }).read()).toEqual(halves)
  })

  it('widens every f8 value exactly', () => {
    const x = device.tensor(eighths, { dtype: 'f8', shape: [eighths.length] })
    expect(device.ops.copy({ x }, { dtype: 'f32' }).read()).toEqual(eighths)
  })

  it('rounds to the nearest f8, ties to even, and saturates', () => {
    const values = Float32Array.of(...nearEighths, 449, -1e30, 2 ** -11, -(2 ** -130), -0)
    const x = device.tensor(values, { dtype: 'f32', shape: [values.length] })
    const rounded = device.ops.copy({ x }, { dtype: 'f8' }).read()
    expect(rounded).toEqual(values.map((value) => roundTo('f8', value)))
    expect([...rounded.slice(-5, -3)]).toEqual([448, -448])
    const nearest = (value: number): number => Math.min(...eighths.map((one) => Math.abs(one - value)))
    values.forEach((value, i) => {
      if (Math.abs(value) <= 448) expect(Math.abs(rounded[i]! - value)).toBe(nearest(value))
    })
  })

  it('has no f8 infinity: what is not finite becomes NaN', () => {
    const x = device.tensor([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], {
      dtype: 'f32',
      shape: [3],
    })
    expect([...device.ops.copy({ x }, { dtype: 'f8' }).read()]).toEqual([Number.NaN, Number.NaN, Number.NaN])
  })

  it.each(['f16', 'bf16'] as const)('rounds to the nearest %s, ties to even', (dtype) => {
    const values = nearTies()
    const x = device.tensor(values, { dtype: 'f32', shape: [values.length] })
    const expected = values.map((value) => roundTo(dtype, value))
    expect(device.ops.copy({ x }, { dtype }).read()).toEqual(expected)
  })

  it('keeps infinities and NaN, and overflows to infinity', () => {
    const values = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 65519, 65520, -1e30]
    const x = device.tensor(values, { dtype: 'f32', shape: [values.length] })
    const [inf, minusInf, nan, below, above, low] = device.ops.copy({ x }, { dtype: 'f16' }).read()
    expect([inf, minusInf, nan, below, above, low]).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      Number.NaN,
      65504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ])
  })
})
