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

describe.each(supportedIsas())('copy on %s', (isa) => {
  const device = createDevice({ threads: 2, isa })
  afterAll(() => device[Symbol.dispose]())

  it('widens every f16 value exactly', () => {
    const x = device.tensor(halves, { dtype: 'f16', shape: [halves.length] })
    expect(device.ops.copy({ x }, { dtype: 'f32' }).read()).toEqual(halves)
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
