import { closeness } from './closeness.ts'

/** Bounds of the matcher; at least one is given. */
export interface CloseBounds {
  /** On ‖actual − expected‖ / ‖expected‖. */
  readonly relative?: number
  /** On every |actual − expected|. */
  readonly absolute?: number
}

interface MatcherResult {
  readonly pass: boolean
  readonly message: () => string
}

/**
 * Matcher for arrays of numbers: `expect.extend({ toBeClose })`, then `expect(a).toBeClose(b, { relative: 1e-5 })`.
 * Lengths must agree, NaN matches NaN only, an infinity matches the same infinity only.
 */
export function toBeClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bounds: CloseBounds,
): MatcherResult {
  const { relative, largest, worst, mismatch } = closeness(actual, expected)
  const pass =
    mismatch === undefined &&
    relative <= (bounds.relative ?? Number.POSITIVE_INFINITY) &&
    largest <= (bounds.absolute ?? Number.POSITIVE_INFINITY)
  const at = mismatch ?? worst
  const lengths = actual.length === expected.length ? '' : `, lengths ${actual.length} and ${expected.length}`
  return {
    pass,
    message: () =>
      `relative error ${relative}, largest difference ${largest}${lengths}; element ${at} is ${actual[at]}, expected ${expected[at]}`,
  }
}

declare module 'vitest' {
  // biome-ignore lint/suspicious/noExplicitAny: must repeat the declaration it adds to
  interface Matchers<T = any> {
    toBeClose(expected: ArrayLike<number>, bounds: CloseBounds): T
  }
}
