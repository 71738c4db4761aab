import type { CacheShape } from '../cache-shape.ts'
import type { TokenSource } from './token-source.ts'

/** One query of one head over a list of tokens, in plain loops. */
function attendOver(
  source: TokenSource,
  shape: CacheShape,
  at: {
    readonly layer: number
    readonly query: number
    readonly queryHead: number
    readonly tokens: readonly number[]
  },
): Float64Array {
  const { headDim: D, queryHeads, kvHeads } = shape
  const head = Math.floor(at.queryHead / (queryHeads / kvHeads))
  const q = source.q(at.layer, at.query).subarray(at.queryHead * D, (at.queryHead + 1) * D)
  const rowOf = (row: Float32Array): Float32Array => row.subarray(head * D, (head + 1) * D)
  const logits = at.tokens.map(
    (token) => rowOf(source.k(at.layer, token)).reduce((s, x, d) => s + x * q[d]!, 0) / Math.sqrt(D),
  )
  const max = Math.max(...logits)
  const weights = logits.map((x) => Math.exp(x - max))
  const sum = weights.reduce((a, b) => a + b, 0)
  const out = new Float64Array(D)
  at.tokens.forEach((token, i) => {
    rowOf(source.v(at.layer, token)).forEach((x, d) => {
      out[d]! += (weights[i]! / sum) * x
    })
  })
  return out
}

/**
 * Largest difference between a cache's output for one sequence and attention over the tokens it said it stored.
 * @param run `stored` [layer][head] before the forward, its first new index and the outputs [C, Hq, D] per layer
 */
export function attentionError(
  source: TokenSource,
  shape: CacheShape,
  run: {
    readonly stored: readonly number[][][]
    readonly first: number
    readonly outputs: readonly Float32Array[]
  },
): number {
  const { queryHeads, kvHeads, headDim: D } = shape
  let worst = 0
  run.outputs.forEach((out, layer) => {
    for (let at = 0; at < out.length / D; at++) {
      const [c, queryHead] = [Math.floor(at / queryHeads), at % queryHeads]
      const old = run.stored[layer]![Math.floor(queryHead / (queryHeads / kvHeads))]!
      const tokens = [...old, ...Array.from({ length: c + 1 }, (_, i) => run.first + i)]
      const wanted = attendOver(source, shape, { layer, query: run.first + c, queryHead, tokens })
      const error = wanted.reduce((most, x, d) => Math.max(most, Math.abs(x - out[at * D + d]!)), 0)
      worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error)
    }
  })
  return worst
}
