import type { RefArray } from '../../op.ts'

export function geluRef({ x }: { readonly x: RefArray }, { out }: { readonly out: RefArray }): void {
  for (let i = 0; i < out.data.length; i++) {
    const value = x.data[i]!
    // The tail is computed and not its complement, so that far below 0 no digits are lost.
    const tail = upperTail(Math.abs(value) / Math.SQRT2) / 2
    out.data[i] = value === Number.NEGATIVE_INFINITY ? -0 : value * (value > 0 ? 1 - tail : tail)
  }
}

/** erfc(z) for z ≥ 0. */
function upperTail(z: number): number {
  if (z > 27) return 0 // less than the smallest number
  const density = Math.exp(-z * z) / Math.sqrt(Math.PI)
  if (z < 2) {
    // erf(z) = 2/√π e^(−z²) Σ 2ⁿ z^(2n+1) / (1·3·…·(2n+1)): Abramowitz and Stegun 7.1.6
    let term = z
    let sum = z
    for (let n = 1; n < 60; n++) {
      term *= (2 * z * z) / (2 * n + 1)
      sum += term
    }
    return 1 - 2 * density * sum
  }
  // erfc(z) = e^(−z²)/√π · 1/(z + ½/(z + 1/(z + 3/2/(z + …)))): Abramowitz and Stegun 7.1.14, from its far end
  let fraction = z
  for (let n = 100; n >= 1; n--) fraction = z + n / 2 / fraction
  return density / fraction
}
