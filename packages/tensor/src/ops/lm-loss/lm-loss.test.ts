import { afterAll, describe, expect, it } from 'vitest'
import { createDevice } from '../../device.ts'
import { referenceOps, refTensor } from '../../reference-backend.ts'

const device = createDevice({ threads: 2 })
afterAll(() => device[Symbol.dispose]())

const rows = (values: readonly number[]) => ({ dtype: 'f32', shape: [values.length / 3, 3] }) as const
const ids = (values: readonly number[]) => device.tensor(values, { dtype: 'i32', shape: [values.length] })
const logits = (values: readonly number[]) => device.tensor(values, rows(values))
const each = (values: readonly number[]) => device.tensor(values, { dtype: 'f32', shape: [values.length] })

describe('lmLoss', () => {
  it.each([-1, 3, -99])('refuses the target %i of three logits, natively and in the reference', (target) => {
    const values = [0, 0, 0]
    const error = (op: string) =>
      expect.objectContaining({
        code: 'TRIMKV_TOKEN_RANGE',
        what: `[${op}] target ${target} is neither -100 nor in 0…2`,
      })
    const inputs = { logits: logits(values), targets: ids([target]) }
    expect(() => device.ops.lmLoss(inputs, { kl: 'forward' })).toThrow(error('lmLoss'))
    const gradients = { dKl: each([0]), dCe: each([0]) }
    expect(() => device.ops.lmLossGrad({ ...inputs, ...gradients }, { kl: 'forward' })).toThrow(
      error('lmLossGrad'),
    )
    const inReference = {
      logits: refTensor(values, rows(values)),
      targets: refTensor([target], { dtype: 'i32', shape: [1] }),
    }
    expect(() => referenceOps().lmLoss(inReference, { kl: 'forward' })).toThrow(error('lmLoss'))
  })

  it.each(['forward', 'reverse'] as const)(
    'gives 0 and no %s gradient where the student is the teacher',
    (kl) => {
      const same = logits([0.1, -3, 12.7])
      const inputs = { logits: same, teacher: same, targets: ids([-100]) }
      expect(device.ops.lmLoss(inputs, { kl }).kl.read()).toEqual(Float32Array.of(0))
      const out = device.ops.lmLossGrad({ ...inputs, dKl: each([1]), dCe: each([1]) }, { kl })
      expect(out.read().map(Math.abs)).toEqual(new Float32Array(3))
    },
  )

  it('leaves out tokens that both exclude, and is infinite where only one does', () => {
    const none = Number.NEGATIVE_INFINITY
    const inputs = {
      logits: logits([0, 1, none, 0, 1, none]),
      teacher: logits([1, 0, none, 1, 0, 5]),
      targets: ids([1, 0]),
    }
    const { kl, ce } = device.ops.lmLoss(inputs, { kl: 'forward' })
    const expected = device.ops.lmLoss(
      {
        logits: device.tensor([0, 1], { dtype: 'f32', shape: [1, 2] }),
        teacher: device.tensor([1, 0], { dtype: 'f32', shape: [1, 2] }),
        targets: ids([1]),
      },
      { kl: 'forward' },
    )
    expect(kl.read()).toEqual(Float32Array.of(expected.kl.read()[0]!, Number.POSITIVE_INFINITY))
    expect(ce.read()[0]).toBe(expected.ce.read()[0])
    const out = device.ops.lmLossGrad({ ...inputs, dKl: each([1, 0]), dCe: each([0, 1]) }, { kl: 'reverse' })
    const grad = out.read()
    expect(Array.from(grad).every(Number.isFinite)).toBe(true)
    expect([grad[2], grad[5]]).toEqual([0, 0])
  })

  it('does not read a row without gradients', () => {
    const values = [Number.NaN, 1, 2]
    const inputs = { logits: logits(values), teacher: logits(values), targets: ids([-100]) }
    const out = device.ops.lmLossGrad({ ...inputs, dKl: each([0]), dCe: each([1]) }, { kl: 'forward' })
    expect(out.read()).toEqual(new Float32Array(3))
  })
})
