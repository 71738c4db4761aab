import type { CacheShape } from '../cache-shape.ts'
import { rotateRow } from './test-rotary.ts'
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
    /** Rotary positions of the query and of each of `tokens`; nothing is rotated without. */
    readonly positions: { readonly query: number; readonly tokens: readonly number[] } | undefined
  },
): Float64Array {
  const { headDim: D, queryHeads, kvHeads } = shape
  const head = Math.floor(at.queryHead / (queryHeads / kvHeads))
  const turned = (row: Float32Array, position: number | undefined): Float32Array =>
    position === undefined ? row : rotateRow(row, position)
  const raw = source.q(at.layer, at.query).subarray(at.queryHead * D, (at.queryHead + 1) * D)
  const q = turned(raw, at.positions?.query)
  const rowOf = (row: Float32Array): Float32Array => row.subarray(head * D, (head + 1) * D)
  const logits = at.tokens.map(
    (token, i) =>
      turned(rowOf(source.k(at.layer, token)), at.positions?.tokens[i]).reduce(
        (s, x, d) => s + x * q[d]!,
        0,
      ) / Math.sqrt(D),
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
 * @param run `stored` [layer][head] before the forward, `kept` after it where one token attends to these alone, the first
 * new index and the outputs [C, Hq, D] per layer
 */
export function attentionError(
  source: TokenSource,
  shape: CacheShape,
  run: {
    readonly stored: readonly number[][][]
    readonly kept?: readonly number[][][] | undefined
    readonly first: number
    readonly outputs: readonly Float32Array[]
    /** How keys and queries were rotated, if they were: to their index or to their slot. */
    readonly rotated?: 'index' | 'slot' | undefined
  },
): number {
  const { queryHeads, kvHeads, headDim: D } = shape
  let worst = 0
  run.outputs.forEach((out, layer) => {
    for (let at = 0; at < out.length / D; at++) {
      const [c, queryHead] = [Math.floor(at / queryHeads), at % queryHeads]
      const head = Math.floor(queryHead / (queryHeads / kvHeads))
      const news = Array.from({ length: c + 1 }, (_, i) => run.first + i)
      const tokens = run.kept?.[layer]?.[head] ?? [...run.stored[layer]![head]!, ...news]
      const slots = { query: tokens.length - 1, tokens: tokens.map((_, slot) => slot) }
      const positions = run.rotated && (run.rotated === 'slot' ? slots : { query: run.first + c, tokens })
      const wanted = attendOver(source, shape, { layer, query: run.first + c, queryHead, tokens, positions })
      const error = wanted.reduce((most, x, d) => Math.max(most, Math.abs(x - out[at * D + d]!)), 0)
      worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error)
    }
  })
  return worst
}
