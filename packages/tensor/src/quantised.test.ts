import { seededRandom } from '@trimkv/testing'
import { describe, expect, it } from 'vitest'
import { createDevice } from './device.ts'
import {
  dequantise,
  packQuantised,
  type QuantisedSpec,
  quantise,
  quantisedActivations,
  quantisedBytes,
} from './quantised.ts'

const random = seededRandom(3)
const spec = (dtype: 'q8' | 'q4', ...shape: number[]): QuantisedSpec => ({ dtype, shape })

describe.each(['q8', 'q4'] as const)('%s', (dtype) => {
  const shape = spec(dtype, 37, 96)
  const values = Float32Array.from({ length: 37 * 96 }, () => random.normal())

  it('keeps every element within half a step of its block, and reads back the same natively', () => {
    const bytes = quantise(values, shape)
    const back = dequantise(bytes, shape)
    for (let from = 0; from < values.length; from += 32) {
      const most = Math.max(...values.subarray(from, from + 32).map(Math.abs))
      const step = dtype === 'q8' ? most / 127 : most / 6.5
      for (let i = from; i < from + 32; i++) {
        expect(Math.abs(back[i]! - values[i]!)).toBeLessThanOrEqual((dtype === 'q8' ? 0.51 : 1.51) * step)
      }
    }
    using device = createDevice({ threads: 1 })
    using tensor = device.storedTensor(bytes, shape)
    expect(tensor.read()).toEqual(back)
    using rows = device.ops.slice(tensor, { axis: 0, start: 16, length: 21 })
    expect(rows.read()).toEqual(back.subarray(16 * 96))
    // The last panel: more elements lie before it than the whole tensor has bytes.
    using last = device.ops.slice(tensor, { axis: 0, start: 32, length: 5 })
    expect(last.read()).toEqual(back.subarray(32 * 96))
  })

  it('refuses other shapes, rows from the middle of a panel, writing, and what no scale can hold', () => {
    expect(() => quantisedBytes(spec(dtype, 4, 48))).toThrow(/cannot be/)
    expect(() => quantisedBytes(spec(dtype, 64))).toThrow(/cannot be/)
    using device = createDevice({ threads: 1 })
    expect(() => device.empty(spec(dtype, 4, 48))).toThrow(/32 divides/)
    using tensor = device.tensor(values, shape)
    expect(() => device.ops.slice(tensor, { axis: 0, start: 8, length: 16 })).toThrow(/multiple of 16/)
    expect(() => device.ops.slice(tensor, { axis: 1, start: 32, length: 32 })).toThrow(/quantised/)
    expect(() => device.ops.reshape(tensor, [37 * 96])).toThrow(/quantised/)
    expect(() => tensor.write(values)).toThrow(/never overwritten/)
    expect(() => device.storedTensor(new Uint8Array(32), shape)).toThrow(/bytes/)
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e9]) {
      expect(() => quantise(new Float32Array(32).fill(bad), spec(dtype, 1, 32))).toThrow(
        /cannot be quantised/,
      )
    }
  })

  it('holds what the largest scale can, and refuses more', () => {
    const one = spec(dtype, 1, 32)
    const block = (value: number): Float32Array => Float32Array.of(value, ...new Float32Array(31))
    const limit = dtype === 'q8' ? 127 * 65504 : 8 * 65504
    for (const value of [limit, 0.99 * limit, 0.9 * limit, 0.8 * limit]) {
      for (const signed of [value, -value]) {
        const back = dequantise(quantise(block(signed), one), one)
        const error = Math.abs(back[0]! - signed) / value
        expect(error, `${signed}`).toBeLessThan(value === limit ? 1e-7 : dtype === 'q8' ? 0.01 : 0.1)
        expect(back.subarray(1).every((x) => x === 0)).toBe(true)
      }
    }
    for (const value of [limit + 1, -limit - 1, Infinity, -Infinity, Number.NaN]) {
      const refusal = expect.objectContaining({
        code: 'TRIMKV_UNSUPPORTED',
        message: expect.stringMatching(
          new RegExp(`^${value} cannot be quantised to ${dtype}[^]*at most ${limit}`),
        ),
      })
      expect(() => quantise(block(value), one)).toThrow(refusal)
    }
  })

  it('reads a scale that is not finite as what it is', () => {
    const one = spec(dtype, 1, 32)
    for (const scale of [Number.NaN, Infinity, -Infinity]) {
      const bytes = packQuantised(one, () => ({ scale, values: new Int8Array(32).fill(1) }))
      expect([...dequantise(bytes, one)]).toEqual(new Array(32).fill(scale))
    }
  })

  it('fills rows up to sixteen and keeps zeros', () => {
    const one = spec(dtype, 1, 32)
    const bytes = quantise(new Float32Array(32), one)
    expect(bytes.length).toBe(quantisedBytes(spec(dtype, 16, 32)))
    expect(dequantise(bytes, one).every((x) => x === 0)).toBe(true)
  })
})

describe('activations', () => {
  it('round to 127 steps of their block, ties to even', () => {
    const x = new Float64Array(64)
    x.set([127, 0.5, 1.5, -2.5, 126.49])
    x.set([Number.NaN, 1], 32)
    const back = quantisedActivations(x)
    expect([...back.subarray(0, 6)]).toEqual([127, 0, 2, -2, 126, 0])
    expect(back.subarray(32).every(Number.isNaN)).toBe(true)
  })

  it('that are not finite make their row NaN and no other', () => {
    using device = createDevice({ threads: 1 })
    const x = new Float32Array(3 * 32).fill(1)
    x[32] = Number.POSITIVE_INFINITY
    x[64] = Number.NaN
    using weight = device.tensor(new Float32Array(32).fill(1), spec('q8', 1, 32))
    using input = device.tensor(x, { dtype: 'f32', shape: [3, 32] })
    using out = device.ops.linear({ x: input, weight })
    expect(out.read()[0]).toBeCloseTo(32, 1)
    expect([...out.read()].slice(1)).toEqual([Number.NaN, Number.NaN])
  })
})
