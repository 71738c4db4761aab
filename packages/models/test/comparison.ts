/** Largest magnitude; NaN when any element is. */
const largest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((a, b) => (Number.isNaN(b) ? b : Math.max(a, Math.abs(b))), 0)

const differences = (a: ArrayLike<number>, b: ArrayLike<number>): Float64Array =>
  Float64Array.from(
    { length: Math.max(a.length, b.length) },
    (_, i) => (a[i] ?? Number.NaN) - (b[i] ?? Number.NaN),
  )

/** Largest |a − b|; NaN, which no bound admits, when lengths differ or either holds one. */
export const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => largest(differences(a, b))

/** Largest |a − b| / |b|, element by element. */
export const relativeDistance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  largest(differences(a, b).map((d, i) => d / b[i]!))

/** The bound that holds for logits recorded in f32. */
export const logitBound = (recorded: ArrayLike<number>): number => 2e-4 * Math.max(1, largest(recorded))
