import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { createDevice } from '../../device.ts'
import { supportedIsas } from '../../native-device.ts'
import { referenceOps, refTensor } from '../../reference-backend.ts'

describe.each(supportedIsas())('occupancyGrad on %s', (isa) => {
  const device = createDevice({ threads: 2, isa })
  afterAll(() => device[Symbol.dispose]())

  it('is within 2e-5 of the f64 sum for every one of 4096 tokens, slow and fast ones side by side', () => {
    const random = seededRandom(5)
    const spec = { dtype: 'f32', shape: [1, 4096, 2] } as const
    const logBeta = Float32Array.from({ length: 8192 }, (_, i) =>
      i % 2 === 0 ? -1e-8 : -(10 ** (-8 + 9 * random.next())),
    )
    // All of one sign: nothing cancels, so that each sum can be compared by itself.
    const dy = Float32Array.from({ length: 8192 }, () => random.next())
    const actual = device.ops
      .occupancyGrad({ logBeta: device.tensor(logBeta, spec), dy: device.tensor(dy, spec) })
      .read()
    const expected = referenceOps()
      .occupancyGrad({ logBeta: refTensor(logBeta, spec), dy: refTensor(dy, spec) })
      .toArray()
    const worst = expected.reduce(
      (most, value, i) => Math.max(most, Math.abs(actual[i]! - value) / (value + 1e-7)),
      0,
    )
    expect(worst).toBeLessThan(2e-5)
  })

  it('keeps a NaN inside its document', () => {
    const dy = new Float32Array(200).fill(1)
    dy[150] = Number.NaN
    const spec = { dtype: 'f32', shape: [1, 200, 1] } as const
    const starts = Int32Array.from({ length: 200 }, (_, t) => (t < 130 ? 0 : t < 170 ? 130 : 170))
    const out = device.ops
      .occupancyGrad({
        logBeta: device.tensor(new Float32Array(200).fill(-0.01), spec),
        start: device.tensor(starts, { dtype: 'i32', shape: [1, 200] }),
        dy: device.tensor(dy, spec),
      })
      .read()
    const bad = Array.from(out.keys()).filter((i) => Number.isNaN(out[i]!))
    expect(bad).toEqual(Array.from({ length: 21 }, (_, i) => 130 + i))
  })
})
