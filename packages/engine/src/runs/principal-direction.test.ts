import { describe, expect, it } from 'vitest'
import { principalDirection, type QuerySums } from './principal-direction.ts'

function sumsOf(rows: readonly (readonly number[])[]): QuerySums {
  const D = rows[0]!.length
  const mean = new Float64Array(D)
  const products = new Float64Array(D * D)
  for (const row of rows)
    row.forEach((x, i) => {
      mean[i]! += x
      row.forEach((y, j) => {
        products[i * D + j]! += x * y
      })
    })
  return { mean, products }
}

describe('principalDirection', () => {
  it('finds the axis of a cloud, on the side of its mean', () => {
    // Rows t·a + e·b with a ⟂ b: the first singular vector is a, and most t are negative.
    const a = [0.6, 0, 0.8]
    const b = [0.8, 0, -0.6]
    const rows = [-3, -2, -1, 2].map((t, i) => a.map((x, d) => t * x + (i % 2 === 0 ? 0.5 : -0.5) * b[d]!))
    const direction = principalDirection(sumsOf(rows))
    // Independent: the 2 × 2 problem in the plane of a and b, solved in closed form.
    const [aa, bb, ab] = [18, 1, -3 * 0.5 + 2 * 0.5 - 0.5 - 2 * 0.5]
    const angle = 0.5 * Math.atan2(2 * ab, aa - bb)
    const wanted = a.map((x, d) => -(Math.cos(angle) * x + Math.sin(angle) * b[d]!))
    direction.forEach((x, d) => {
      expect(x).toBeCloseTo(wanted[d]!, 10)
    })
  })

  it('gives zeros where there is nothing', () => {
    expect([...principalDirection(sumsOf([[0, 0]]))]).toEqual([0, 0])
  })
})
