import { afterAll, describe, expect, it } from 'vitest'
import { createDevice } from '../../device.ts'
import { supportedIsas } from '../../native-device.ts'

const count = 20_011
const x = Float32Array.from({ length: count }, (_, i) => -87 + (174 * i) / (count - 1))

describe.each(supportedIsas())('silu on %s', (isa) => {
  const device = createDevice({ threads: 1, isa })
  afterAll(() => device[Symbol.dispose]())

  it('is right to a few units in the last place wherever e^−x is finite', () => {
    const out = device.ops.silu({ x: device.tensor(x, { dtype: 'f32', shape: [1, count] }) }).read()
    let worst = 0
    for (const [i, value] of x.entries()) {
      const expected = value / (1 + Math.exp(-value))
      if (expected !== 0) worst = Math.max(worst, Math.abs(out[i]! / expected - 1))
    }
    expect(worst).toBeLessThan(4 * 2 ** -24)
  })

  it('gives 0 and x at the ends of the range, and NaN for NaN', () => {
    const ends = [-1000, 1000, Number.POSITIVE_INFINITY, Number.NaN]
    const out = device.ops.silu({ x: device.tensor(ends, { dtype: 'f32', shape: [1, 4] }) }).read()
    expect([...out]).toEqual([-0, 1000, Number.POSITIVE_INFINITY, Number.NaN])
  })
})
