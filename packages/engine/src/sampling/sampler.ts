import { fail } from '@trimkv/tensor'
import { RankedIds } from './ranked-ids.ts'
import { resolveSampling, type SamplingOptions } from './sampling-options.ts'
import { uniformDraw } from './uniform-draw.ts'

/** Chooses the tokens of one sequence, one after the other. */
export interface Sampler {
  /**
   * The next token. The n-th call uses the n-th draw of the seed.
   * @param logits [V] f32; not changed
   * @throws TRIMKV_WEIGHTS_MISMATCH when no logit is a number above −∞
   */
  next(logits: Float32Array): number
}

type Settings = Required<SamplingOptions>

/** The largest logit, ties to the smallest id, NaN never. @throws TRIMKV_WEIGHTS_MISMATCH */
function largest(logits: Float32Array): number {
  let best = -1
  let value = -Infinity
  for (let id = 0; id < logits.length; id++) {
    if (logits[id]! > value) {
      best = id
      value = logits[id]!
    }
  }
  if (best < 0) {
    fail('TRIMKV_WEIGHTS_MISMATCH', 'The model produced no usable logit: all are NaN or −∞', {
      hint: 'the weights are damaged or overflow; check them with `trimkv inspect`',
    })
  }
  return best
}

/** A copy with NaN as −∞ and the logits of tokens seen before pushed down. */
function penalised(logits: Float32Array, seen: ReadonlySet<number>, penalty: number): Float32Array {
  const out = logits.map((x) => (Number.isNaN(x) ? -Infinity : x))
  if (penalty === 1) return out
  for (const id of seen) out[id] = out[id]! > 0 ? out[id]! / penalty : out[id]! * penalty
  return out
}

interface Candidates {
  readonly ids: readonly number[]
  /** Relative probabilities; the most likely token has 1. */
  readonly weights: readonly number[]
}

/** The most likely tokens that pass top-k, top-p and min-p, in descending order. */
function filtered(logits: Float32Array, weight: (id: number) => number, settings: Settings): Candidates {
  const ranked = new RankedIds(logits)
  const ids: number[] = []
  const weights: number[] = []
  let total = 0
  if (settings.topK < logits.length) {
    while (ids.length < settings.topK) ids.push(ranked.take()!)
    for (const id of ids) total += weight(id)
  } else {
    for (let id = 0; id < logits.length; id++) total += weight(id)
  }
  let sum = 0
  for (let rank = 0; ; rank++) {
    const id = settings.topK < logits.length ? ids[rank] : ranked.take()
    if (id === undefined) break
    const w = weight(id)
    if (w === 0 || w < settings.minP) break
    ids[rank] = id
    weights.push(w)
    sum += w
    if (sum >= settings.topP * total) break
  }
  return { ids: ids.slice(0, weights.length), weights }
}

function everything(logits: Float32Array, weight: (id: number) => number): Candidates {
  const ids = Array.from({ length: logits.length }, (_, id) => id)
  return { ids, weights: ids.map(weight) }
}

/** Walks the cumulative weights up to the draw. */
function pick({ ids, weights }: Candidates, draw: number): number {
  let left = draw * weights.reduce((a, b) => a + b, 0)
  let last = 0
  for (const [rank, w] of weights.entries()) {
    if (w === 0) continue
    last = rank
    left -= w
    if (left < 0) break
  }
  return ids[last]!
}

/**
 * A sampler for one sequence.
 * @param promptIds tokens that the repetition penalty counts as seen
 * @throws TRIMKV_OPTION
 */
export function createSampler(options: SamplingOptions, promptIds: Iterable<number> = []): Sampler {
  const settings = resolveSampling(options)
  const { temperature, topK, topP, minP, repetitionPenalty, seed } = settings
  const seen = new Set(promptIds)
  let draws = 0

  function choose(logits: Float32Array): number {
    if (temperature === 0 && repetitionPenalty === 1) return largest(logits)
    const values = penalised(logits, seen, repetitionPenalty)
    const best = largest(values)
    if (temperature === 0) return best
    const peak = values[best]!
    // Where the peak is infinite, the difference from it would be no number.
    const weight = (id: number) => (values[id] === peak ? 1 : Math.exp((values[id]! - peak) / temperature))
    const all = topK >= values.length && topP === 1 && minP === 0
    return pick(
      all ? everything(values, weight) : filtered(values, weight, settings),
      uniformDraw(seed, draws++),
    )
  }

  return {
    next(logits) {
      const id = choose(logits)
      seen.add(id)
      return id
    },
  }
}
