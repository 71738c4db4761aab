/** Sums over vectors of D numbers. */
export interface QuerySums {
  /** Σ x [D] */
  readonly mean: Float64Array
  /** Σ x xᵀ [D, D], row-major. */
  readonly products: Float64Array
}

const rounds = 10_000
/** Squared length of the last step. */
const converged = 1e-24

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0)

function unit(x: Float64Array): Float64Array {
  const length = Math.sqrt(dot(x, x))
  return length > 0 ? x.map((value) => value / length) : x
}

const times = (products: Float64Array, x: Float64Array): Float64Array =>
  x.map((_, i) => dot(products.subarray(i * x.length, (i + 1) * x.length), x))

/**
 * The first right singular vector of the matrix whose rows were summed, of length 1, on the side of their mean. By power
 * iteration: where two singular values are equal, some vector of their plane.
 */
export function principalDirection({ mean, products }: QuerySums): Float64Array {
  const D = mean.length
  const longest = mean.reduce<number>(
    (best, _, i) => (products[i * D + i]! > products[best * D + best]! ? i : best),
    0,
  )
  let direction = unit(products.slice(longest * D, (longest + 1) * D))
  for (let round = 0; round < rounds; round++) {
    const next = unit(times(products, direction))
    const step = next.map((x, i) => x - direction[i]!)
    direction = next
    if (dot(step, step) < converged) break
  }
  return dot(direction, mean) < 0 ? direction.map((x) => -x) : direction
}
