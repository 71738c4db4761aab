import { expect, it } from 'vitest'
import { referenceOps, refTensor } from '../../reference-backend.ts'

const x = refTensor([1, 2], { dtype: 'f32', shape: [2] })

it.each([
  { axis: 1, before: 0, after: 0 },
  { axis: -1, before: 0, after: 0 },
  { axis: 0.5, before: 0, after: 0 },
  { axis: 0, before: -1, after: 2 },
  { axis: 0, before: 0, after: 1.5 },
  { axis: 0, before: Number.NaN, after: 0 },
])('refuses axis $axis, before $before, after $after of two elements', (attrs) => {
  expect(() => referenceOps().padAxis({ x }, attrs)).toThrow(
    expect.objectContaining({ code: 'TRIMKV_OPTION' }),
  )
})
