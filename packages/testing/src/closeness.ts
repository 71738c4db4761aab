/** How far an array is from what was expected. */
export interface Closeness {
  /** ‖actual − expected‖ / ‖expected‖ over the finite elements; the numerator alone when nothing is expected but zeros. */
  readonly relative: number
  /** Largest |actual − expected| over the finite elements, and where it is. */
  readonly largest: number
  readonly worst: number
  /** First element that is NaN or infinite on one side only, or infinite with the other sign. */
  readonly mismatch: number | undefined
}

/** Compares element by element; NaN agrees with NaN only, an infinity with the same infinity only. */
export function closeness(actual: ArrayLike<number>, expected: ArrayLike<number>): Closeness {
  let error = 0
  let norm = 0
  let largest = 0
  let worst = 0
  let mismatch = actual.length === expected.length ? undefined : Math.min(actual.length, expected.length)
  for (let i = 0; i < Math.min(actual.length, expected.length); i++) {
    const got = actual[i]!
    const wanted = expected[i]!
    if (Number.isFinite(got) && Number.isFinite(wanted)) {
      const distance = Math.abs(got - wanted)
      error += distance ** 2
      norm += wanted ** 2
      if (distance > largest) [largest, worst] = [distance, i]
    } else if (!Object.is(got, wanted)) mismatch ??= i
  }
  return { relative: Math.sqrt(error) / (norm > 0 ? Math.sqrt(norm) : 1), largest, worst, mismatch }
}

/** ‖actual − expected‖ / ‖expected‖; infinite when NaN or infinities differ. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  const { relative, mismatch } = closeness(actual, expected)
  return mismatch === undefined ? relative : Number.POSITIVE_INFINITY
}
