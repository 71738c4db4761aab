/** Natural logarithm of a token's probability. */
export interface TokenLogProb {
  readonly id: number
  readonly logProb: number
}

/** Log-probability of the chosen token and, if asked, of the most likely ones. */
export interface ChosenLogProb extends TokenLogProb {
  /** The `top` most likely tokens, most likely first, ties by the smaller id. */
  readonly top: readonly TokenLogProb[]
}

/** NaN counts as −∞, as it does where tokens are chosen. */
const logitOf = (logits: Float32Array, id: number): number =>
  Number.isNaN(logits[id]) ? -Infinity : logits[id]!

/** Log-probability of each id. Where the largest logit is infinite, those that share it share the probability. */
function logSoftmax(logits: Float32Array): (id: number) => number {
  let peak = -Infinity
  for (const x of logits) if (x > peak) peak = x
  let sum = 0
  // Where the peak is infinite, the difference from it would be no number.
  for (const x of logits) if (x > -Infinity) sum += x === peak ? 1 : Math.exp(x - peak)
  const norm = peak + Math.log(sum)
  return (id) => {
    const x = logitOf(logits, id)
    if (x === -Infinity) return x
    return x === Infinity ? -Math.log(sum) : x - norm
  }
}

function mostLikely(logits: Float32Array, count: number): number[] {
  const best: number[] = []
  for (let id = 0; id < logits.length; id++) {
    const value = logitOf(logits, id)
    if (best.length === count && !(value > logitOf(logits, best.at(-1)!))) continue
    let at = best.length
    while (at > 0 && value > logitOf(logits, best[at - 1]!)) at--
    best.splice(at, 0, id)
    if (best.length > count) best.pop()
  }
  return best
}

/**
 * Log-probabilities by the model itself: softmax of the raw logits, before penalty, temperature and filters. Sums in f64. A logit
 * that is NaN has probability 0.
 * @param logits [V] f32
 * @param top    how many of the most likely tokens to list, 0 … V
 */
export function tokenLogProbs(logits: Float32Array, id: number, top: number): ChosenLogProb {
  const logProb = logSoftmax(logits)
  const of = (token: number): TokenLogProb => ({ id: token, logProb: logProb(token) })
  return { ...of(id), top: top > 0 ? mostLikely(logits, top).map(of) : [] }
}
