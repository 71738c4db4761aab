import { type ColumnWriter, definePolicy, type HostTokens, type Policy, writtenScore } from '@trimkv/cache'
import { fail } from '@trimkv/tensor'
import { type Prompt, promptIds } from '../generate/prompt.ts'
import type { Model } from '../load-model.ts'
import { createSession } from '../session/create-session.ts'
import { prefill } from '../session/prefill.ts'
import { principalDirection, type QuerySums } from './principal-direction.ts'

/** What filters are computed from. */
export interface QueryFilterOptions {
  /** Tokens read of each text. Default 2048. */
  readonly tokens?: number
  /** Queries that are looked at in each head, evenly over all texts. Default 3000. */
  readonly samples?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (tokens: { readonly processed: number; readonly total: number }) => void
}

/** Keys of Q-Filters for one model. */
export interface QueryFilters {
  /** [L, H, D] */
  readonly shape: readonly [number, number, number]
  /** f32, row-major: against the direction that the queries of the group mostly point in. */
  readonly data: Float32Array
}

/** Sums over queries, per layer and query head. */
class QueryProbe {
  readonly #sums: readonly (readonly QuerySums[])[]
  readonly #group: number
  readonly #every: number

  constructor({ spec }: Model, every: number) {
    const { layers, heads, kvHeads, headDim: D } = spec
    this.#group = heads / kvHeads
    this.#every = every
    const empty = (): QuerySums => ({ mean: new Float64Array(D), products: new Float64Array(D * D) })
    this.#sums = Array.from({ length: layers }, () => Array.from({ length: heads }, empty))
  }

  /** Looks at every few tokens; stores nothing with them. */
  readonly #writer: ColumnWriter = {
    kind: 'host',
    write: (tokens, head) => {
      for (let q = head * this.#group; q < (head + 1) * this.#group; q++) this.#add(tokens, q)
      return new Float32Array(tokens.count)
    },
  }

  #add(tokens: HostTokens, queryHead: number): void {
    const { mean, products } = this.#sums[tokens.layer]![queryHead]!
    const D = mean.length
    const queries = tokens.queries(queryHead)
    for (let c = 0; c < tokens.count; c++) {
      if (tokens.index[c]! % this.#every !== 0) continue
      const query = queries.subarray(c * D, (c + 1) * D)
      for (let i = 0; i < D; i++) {
        const x = query[i]!
        mean[i]! += x
        for (let j = 0; j < D; j++) products[i * D + j]! += x * query[j]!
      }
    }
  }

  /** A policy whose cache shows the probe every token. */
  get policy(): Policy {
    return definePolicy({
      name: 'query-probe',
      source: 'reads queries, for Q-Filters',
      phases: ['decode'],
      options: {},
      parts: () => ({ score: writtenScore('probe', this.#writer) }),
    })
  }

  /** The filter of one key/value head [D]. */
  filter(layer: number, head: number): Float64Array {
    const group = this.#sums[layer]!.slice(head * this.#group, (head + 1) * this.#group)
    const directions = group.map(principalDirection)
    return directions[0]!.map((_, d) => -directions.reduce((sum, x) => sum + x[d]!, 0) / group.length)
  }
}

/**
 * The filters of Q-Filters for a model: per query head the first right singular vector of its rotated queries, on the side
 * of their mean, averaged over the group and turned around. Write them with `writeSafetensors` as `q_filters`.
 * @param texts like those the model will read; the paper takes 20 of 2048 tokens
 * @throws TRIMKV_OPTION without a text; as `score` otherwise
 * @see Q-Filters (arXiv:2503.02812), section 3
 */
export async function queryFilters(
  model: Model,
  texts: readonly Prompt[],
  options: QueryFilterOptions = {},
): Promise<QueryFilters> {
  const { tokens = 2048, samples = 3000, signal, onProgress } = options
  const prompts: (readonly number[])[] = []
  for (const text of texts) prompts.push((await promptIds(model, text)).slice(0, tokens))
  const total = prompts.reduce((sum, ids) => sum + ids.length, 0)
  if (total === 0) fail('TRIMKV_OPTION', 'There is no text to take queries from')
  const probe = new QueryProbe(model, Math.max(1, Math.floor(total / samples)))
  const longest = Math.max(...prompts.map((ids) => ids.length))
  // Nothing is evicted: queries are those of the whole text.
  const cache = { policy: probe.policy, budget: longest, buffer: 1 }
  using session = createSession(model, cache, { batch: 1, maxTokens: longest })
  let processed = 0
  for (const ids of prompts.filter((prompt) => prompt.length > 0)) {
    session.begin(0, ids.length)
    for await (const step of prefill(session, { seat: 0, ids, output: 'none', signal }))
      onProgress?.({ processed: processed + step.processed, total })
    processed += ids.length
  }
  const { layers, kvHeads, headDim } = model.spec
  const data = new Float32Array(layers * kvHeads * headDim)
  for (let head = 0; head < layers * kvHeads; head++)
    data.set(probe.filter(Math.floor(head / kvHeads), head % kvHeads), head * headDim)
  return { shape: [layers, kvHeads, headDim], data }
}
