import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { createDevice } from '../../device.ts'
import { supportedIsas } from '../../native-device.ts'
import { referenceOps, refTensor } from '../../reference-backend.ts'

const length = 4096
const shape = [1, length, 2] as const

/** Log retentions of a head that forgets nothing, of one where each token has its own rate, down to −80. */
function draw(): Float32Array {
  const random = seededRandom(3)
  return Float32Array.from({ length: 2 * length }, (_, i) =>
    i % 2 === 0 ? -1e-8 * (1 + random.next()) : -(10 ** (-8 + 9.9 * random.next())),
  )
}

describe.each(supportedIsas())('occupancy on %s', (isa) => {
  const device = createDevice({ threads: 2, isa })
  afterAll(() => device[Symbol.dispose]())

  it('is within 1e-5 of the f64 sum at every one of 4096 tokens', () => {
    const values = draw()
    const actual = device.ops
      .occupancy({ logBeta: device.tensor(values, { dtype: 'f32', shape: [...shape] }) })
      .read()
    const expected = referenceOps()
      .occupancy({ logBeta: refTensor(values, { dtype: 'f32', shape: [...shape] }) })
      .toArray()
    const worst = expected.reduce((most, value, i) => Math.max(most, Math.abs(actual[i]! / value - 1)), 0)
    expect(worst).toBeLessThan(1e-5)
  })

  it('shows a NaN to every later token of the document and to no other', () => {
    const values = new Float32Array(300).fill(-3)
    values[100] = Number.NaN
    const logBeta = device.tensor(values, { dtype: 'f32', shape: [1, 300, 1] })
    const starts = Int32Array.from({ length: 300 }, (_, t) => (t < 250 ? 0 : 250))
    const start = device.tensor(starts, { dtype: 'i32', shape: [1, 300] })
    const bad = Array.from(device.ops.occupancy({ logBeta, start }).read(), (x, t) =>
      Number.isNaN(x) ? t : -1,
    )
    expect(bad.filter((t) => t >= 0)).toEqual(Array.from({ length: 149 }, (_, i) => 101 + i))
  })
})

describe('starts of documents', () => {
  const device = createDevice({ threads: 1 })
  afterAll(() => device[Symbol.dispose]())

  it.each([
    ['after its token', [0, 2, 2]],
    ['negative', [-1, 0, 0]],
    ['falling', [0, 1, 0]],
  ])('are refused where one is %s, natively and in the reference', (_, starts) => {
    const spec = { dtype: 'f32', shape: [1, 3, 1] } as const
    const startSpec = { dtype: 'i32', shape: [1, 3] } as const
    const expected = expect.objectContaining({ code: 'TRIMKV_INVARIANT' })
    const logBeta = device.zeros(spec)
    const start = device.tensor(starts, startSpec)
    const one = device.zeros({ dtype: 'f32', shape: [1] })
    const attrs = { budget: 1, scope: 'head', form: 'code' } as const
    expect(() => device.ops.occupancy({ logBeta, start })).toThrow(expected)
    expect(() => device.ops.occupancyGrad({ logBeta, start, dy: logBeta })).toThrow(expected)
    expect(() => device.ops.capacity({ occupancy: logBeta, start }, attrs)).toThrow(expected)
    expect(() =>
      device.ops.capacityGrad({ occupancy: logBeta, start, active: one, dLoss: one }, attrs),
    ).toThrow(expected)
    const reference = { logBeta: refTensor([0, 0, 0], spec), start: refTensor(starts, startSpec) }
    expect(() => referenceOps().occupancy(reference)).toThrow(expected)
  })
})
