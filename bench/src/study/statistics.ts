/** A mean with the ends of its 95 % confidence interval. */
export interface Estimate {
  readonly mean: number
  readonly low: number
  readonly high: number
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(values.length, 1)

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
function uniforms(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Mean over questions, with an interval from texts drawn again with replacement (2000 times): questions of one text are
 * not independent.
 * @param shares per text and question, 0…1
 */
export function estimate(shares: readonly (readonly number[])[]): Estimate {
  const texts = shares.map((questions) => ({
    sum: questions.reduce((a, b) => a + b, 0),
    count: questions.length,
  }))
  const all = mean(shares.flat())
  const uniform = uniforms(1)
  const means = Array.from({ length: 2000 }, () => {
    let sum = 0
    let count = 0
    for (let i = 0; i < texts.length; i++) {
      const drawn = texts[Math.floor(uniform() * texts.length)]!
      sum += drawn.sum
      count += drawn.count
    }
    return sum / Math.max(count, 1)
  }).sort((a, b) => a - b)
  return { mean: all, low: means[49]!, high: means[1949]! }
}

/**
 * One-sided paired test over the same texts: how likely a lead of `a` over `b` this large would be if they were alike.
 * Signs of the differences between texts are drawn at random 20,000 times.
 */
export function pairedTest(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number {
  const differences = a.map((questions, text) => mean(questions) - mean(b[text]!))
  const observed = mean(differences)
  const uniform = uniforms(2)
  const draws = 20_000
  let asLarge = 0
  for (let draw = 0; draw < draws; draw++) {
    let sum = 0
    for (const difference of differences) sum += uniform() < 0.5 ? difference : -difference
    if (sum / differences.length >= observed) asLarge++
  }
  return (asLarge + 1) / (draws + 1)
}
