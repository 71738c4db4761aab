import { describe, expect, it } from 'vitest'
import { referenceOps, refTensor } from './reference-backend.ts'

const ops = referenceOps()
const iota = (shape: number[]) =>
  refTensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i),
    { dtype: 'f32', shape },
  )

describe('views', () => {
  it('slices and reshapes without copying', () => {
    const x = iota([2, 6])
    const right = ops.slice(x, { axis: 1, start: 2, length: 4 })
    const heads = ops.reshape(right, [2, 2, 2])
    expect([...heads.toArray()]).toEqual([2, 3, 4, 5, 8, 9, 10, 11])
    expect(heads.storage).toBe(x.storage)
  })

  it('refuses to merge axes across a gap', () => {
    const right = ops.slice(iota([2, 6]), { axis: 1, start: 2, length: 4 })
    expect(() => ops.reshape(right, [8])).toThrow(/strided/)
    expect(() => ops.slice(right, { axis: 1, start: 3, length: 2 })).toThrow(/outside/)
  })

  it('keeps leading axes of size one', () => {
    const right = ops.slice(iota([3, 4]), { axis: 1, start: 1, length: 2 })
    expect([...ops.reshape(right, [1, 3, 2]).toArray()]).toEqual([1, 2, 5, 6, 9, 10])
    expect(ops.reshape(right, [3, 1, 2]).shape).toEqual([3, 1, 2])
  })
})

describe('rmsNorm', () => {
  it('normalises rows and names the tensor that does not fit', () => {
    const weight = refTensor([1, 2], { dtype: 'f32', shape: [2] })
    const out = ops.rmsNorm({ x: refTensor([3, 4], { dtype: 'f32', shape: [1, 2] }), weight }, { eps: 1e-12 })
    expect(out.toArray()[1]).toBeCloseTo((2 * 4) / Math.sqrt(12.5), 10)
    expect(() => ops.rmsNorm({ x: iota([1, 3]), weight }, { eps: 1e-6 })).toThrow(
      /\[rmsNorm\] weight has shape \[2\]/,
    )
  })
})
