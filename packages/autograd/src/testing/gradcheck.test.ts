import { referenceOps, refTensor } from '@trimkv/tensor'
import { expect, it } from 'vitest'
import { gradcheck } from './gradcheck.ts'

const x = refTensor([0.5, -1, 2, 0.1], { dtype: 'f32', shape: [2, 2] })

it('finds nothing when gradients are right, and leaves the tensors as they were', () => {
  expect(gradcheck({ wrt: { x }, run: ({ ops }) => ops.silu({ x }) })).toEqual([])
  expect([...x.toArray()]).toEqual([0.5, -1, 2, 0.1])
})

it('tells which derivatives are wrong', () => {
  const untracked = referenceOps()
  const run = ({ ops }: { ops: typeof untracked }) =>
    ops.mix({ a: x, b: untracked.copy({ x }, { dtype: 'f32' }) }, { a: 1, b: 1 })
  const found = gradcheck({ wrt: { x }, run })
  expect(found.map(({ tensor, index }) => [tensor, index])).toEqual([
    ['x', 0],
    ['x', 1],
    ['x', 2],
    ['x', 3],
  ])
  expect(found[0]!.difference).toBeCloseTo(2 * found[0]!.gradient)
})

it('finds a derivative that is missing, and one that is NaN', () => {
  expect(gradcheck({ wrt: { x }, run: () => referenceOps().silu({ x }) })).toHaveLength(4)
  const nan = gradcheck({ wrt: { x }, run: ({ ops }) => ops.mix({ a: x, b: x }, { a: 1e308, b: 1e308 }) })
  expect(nan).toHaveLength(4)
})

it('takes f32 alone: other dtypes would round the step away', () => {
  const bf16 = refTensor([1, 2], { dtype: 'bf16', shape: [1, 2] })
  expect(() => gradcheck({ wrt: { bf16 }, run: () => bf16 })).toThrowError(
    expect.objectContaining({ code: 'TRIMKV_DTYPE' }),
  )
})
