import { afterAll, expect, it } from 'vitest'
import { createDevice } from '../../device.ts'
import { referenceOps, refTensor } from '../../reference-backend.ts'

const device = createDevice({ threads: 2 })
afterAll(() => device[Symbol.dispose]())

it.each([-1, 5, 2 ** 31 - 1])(
  'refuses the id %i of a table of five rows, natively and in the reference',
  (id) => {
    const [table, ids] = [
      { values: new Float32Array(10), spec: { dtype: 'f32', shape: [5, 2] } },
      { values: Int32Array.of(0, id), spec: { dtype: 'i32', shape: [2] } },
    ] as const
    const message = `[embed] id ${id} is outside 0…4`
    const expected = expect.objectContaining({ code: 'TRIMKV_TOKEN_RANGE', what: message })
    const native = {
      table: device.tensor(table.values, table.spec),
      ids: device.tensor(ids.values, ids.spec),
    }
    expect(() => device.ops.embed(native)).toThrow(expected)
    const inReference = { table: refTensor(table.values, table.spec), ids: refTensor(ids.values, ids.spec) }
    expect(() => referenceOps().embed(inReference)).toThrow(expected)
  },
)
