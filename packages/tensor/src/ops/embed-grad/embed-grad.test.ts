import { afterAll, expect, it } from 'vitest'
import { createDevice } from '../../device.ts'
import { referenceOps, refTensor } from '../../reference-backend.ts'

const device = createDevice({ threads: 2 })
afterAll(() => device[Symbol.dispose]())

it.each([-1, 5, 2 ** 31 - 1])(
  'refuses the id %i of a table of five rows, natively and in the reference',
  (id) => {
    const [ids, dy] = [
      { values: Int32Array.of(0, id), spec: { dtype: 'i32', shape: [2] } },
      { values: new Float32Array(4), spec: { dtype: 'f32', shape: [2, 2] } },
    ] as const
    const expected = expect.objectContaining({
      code: 'TRIMKV_TOKEN_RANGE',
      what: `[embedGrad] id ${id} is outside 0…4`,
    })
    const native = { ids: device.tensor(ids.values, ids.spec), dy: device.tensor(dy.values, dy.spec) }
    expect(() => device.ops.embedGrad(native, { rows: 5 })).toThrow(expected)
    const inReference = { ids: refTensor(ids.values, ids.spec), dy: refTensor(dy.values, dy.spec) }
    expect(() => referenceOps().embedGrad(inReference, { rows: 5 })).toThrow(expected)
  },
)

it.each([0, -1, 1.5, Number.NaN])('refuses a table of %d rows', (rows) => {
  const inputs = {
    ids: device.zeros({ dtype: 'i32', shape: [1] }),
    dy: device.zeros({ dtype: 'f32', shape: [1, 1] }),
  }
  expect(() => device.ops.embedGrad(inputs, { rows })).toThrow(
    expect.objectContaining({ code: 'TRIMKV_OPTION' }),
  )
})
