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

function logSumExp(logits: Float32Array): number {
  let peak = -Infinity
  for (const x of logits) if (x > peak) peak = x
  let sum = 0
  for (const x of logits) if (x > -Infinity) sum += Math.exp(x - peak)
  return peak + Math.log(sum)
}

function mostLikely(logits: Float32Array, count: number): number[] {
  const best: number[] = []
  for (let id = 0; id < logits.length; id++) {
    const value = logits[id]!
    if (best.length === count && !(value > logits[best.at(-1)!]!)) continue
    let at = best.length
    while (at > 0 && value > logits[best[at - 1]!]!) at--
    best.splice(at, 0, id)
    if (best.length > count) best.pop()
  }
  return best
}

/**
 * Log-probabilities by the model itself: softmax of the raw logits, before penalty, temperature and filters. Sums in f64.
 * @param logits [V] f32
 * @param top    how many of the most likely tokens to list, 0 … V
 */
export function tokenLogProbs(logits: Float32Array, id: number, top: number): ChosenLogProb {
  const norm = logSumExp(logits)
  const of = (token: number): TokenLogProb => ({ id: token, logProb: logits[token]! - norm })
  return { ...of(id), top: top > 0 ? mostLikely(logits, top).map(of) : [] }
}
