import { afterAll, expect, it } from 'vitest'
import { createDevice } from '../../device.ts'
import { referenceOps, refTensor } from '../../reference-backend.ts'

const device = createDevice({ threads: 2 })
afterAll(() => device[Symbol.dispose]())

it.each([-1, 3])('refuses the target %i of three logits, natively and in the reference', (target) => {
  const logits = { dtype: 'f32', shape: [1, 3] } as const
  const targets = { dtype: 'i32', shape: [1] } as const
  const expected = expect.objectContaining({
    code: 'TRIMKV_TOKEN_RANGE',
    what: `[tokenLogProb] target ${target} is outside 0…2`,
  })
  const native = { logits: device.zeros(logits), targets: device.tensor([target], targets) }
  expect(() => device.ops.tokenLogProb(native)).toThrow(expected)
  const inReference = { logits: refTensor([0, 0, 0], logits), targets: refTensor([target], targets) }
  expect(() => referenceOps().tokenLogProb(inReference)).toThrow(expected)
})
