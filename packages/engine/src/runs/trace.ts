import { fail } from '@trimkv/tensor'
import type { KeptSets } from '../generate/kept-sets.ts'
import type { Model } from '../load-model.ts'
import type { CacheOptions } from '../session/cache-options.ts'
import { createSession } from '../session/create-session.ts'
import type { DecoderSession } from '../session/decoder-session.ts'
import { allowedNewTokens } from '../session/sequence-length.ts'
import { type CacheReport, cacheReport } from '../session/session-report.ts'
import { type GreedyStep, greedySteps } from './greedy-steps.ts'

/** What to record of a run. */
export interface TraceOptions extends CacheOptions {
  /** Outputs: the first comes from the prompt, the others from steps − 1 forwards of one token. */
  readonly steps: number
  /** Ids to read instead of the greedy ones: at least steps − 1. */
  readonly force?: readonly number[]
  /** Keep logits, log β and scores, not only tokens and kept sets. */
  readonly tensors?: boolean
  readonly signal?: AbortSignal
  readonly onProgress?: (tokens: { readonly processed: number; readonly total: number }) => void
}

/** A recorded tensor. */
export interface TraceTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** Everything a policy did in one run; enough to check it without the model. */
export interface Trace {
  /** The most likely token at each step, also where another was forced. */
  readonly tokens: readonly number[]
  /** [step][layer][head]: indices of the tokens kept after each step, ascending. */
  readonly kept: readonly KeptSets[]
  readonly report: CacheReport
  /**
   * Only with `tensors`; N steps, T prompt tokens, V vocabulary, L layers, H KV heads:
   * `prefill_logits [T, V]`; `logits [N, V]`; with gates `log_beta [L, H, T + N − 1]`; and of the first eviction
   * `scores.{layer} [H, stored]` by ascending position; protected tokens have +∞.
   */
  readonly tensors: ReadonlyMap<string, TraceTensor>
}

interface Sizes {
  readonly layers: number
  readonly heads: number
  readonly vocab: number
  readonly prompt: number
  readonly steps: number
}

/** Collects tensors forward by forward. */
class TensorRecorder {
  readonly #sizes: Sizes
  readonly #tensors = new Map<string, TraceTensor>()

  constructor(sizes: Sizes) {
    this.#sizes = sizes
  }

  get tensors(): ReadonlyMap<string, TraceTensor> {
    return this.#tensors
  }

  #tensor(name: string, shape: readonly number[]): Float32Array {
    const tensor = this.#tensors.get(name) ?? {
      shape,
      data: new Float32Array(shape.reduce((a, b) => a * b, 1)),
    }
    this.#tensors.set(name, tensor)
    return tensor.data
  }

  add({ start, count, result, output }: GreedyStep): void {
    const { vocab, prompt, steps } = this.#sizes
    if (start < prompt) this.#tensor('prefill_logits', [prompt, vocab]).set(result.values, start * vocab)
    if (output) {
      const step = start + count - prompt
      this.#tensor('logits', [steps, vocab]).set(output.logits, step * vocab)
    }
    this.#addLogBeta(start, result.logBeta)
    if (result.evicted && !this.#tensors.has('scores.0')) this.#addScores(start + count, result.scores())
  }

  #addLogBeta(start: number, logBeta: readonly Float32Array[]): void {
    const { layers, heads, prompt, steps } = this.#sizes
    const length = prompt + steps - 1
    for (const [layer, values] of logBeta.entries()) {
      const table = this.#tensor('log_beta', [layers, heads, length])
      for (const [at, value] of values.entries()) {
        table[(layer * heads + (at % heads)) * length + start + Math.floor(at / heads)] = value
      }
    }
  }

  /** Before the first eviction slots are filled in the order of the text. */
  #addScores(stored: number, scores: readonly (Float32Array | undefined)[]): void {
    const { heads } = this.#sizes
    for (const [layer, values] of scores.entries()) {
      if (!values) continue
      const slots = values.length / heads
      const data = this.#tensor(`scores.${layer}`, [heads, stored])
      for (let head = 0; head < heads; head++) {
        data.set(values.subarray(head * slots, head * slots + stored), head * stored)
      }
    }
  }
}

function openSession(model: Model, prompt: readonly number[], options: TraceOptions): DecoderSession {
  const { steps, tensors = false } = options
  if (prompt.length === 0) fail('TRIMKV_OPTION', 'There are no ids to trace')
  const maxTokens =
    prompt.length +
    allowedNewTokens(model.spec, { promptTokens: prompt.length, maxNewTokens: steps }, options)
  return createSession(model, options, { batch: 1, maxTokens, trace: tensors })
}

/**
 * Runs a fixed number of steps and records what was kept after each. Needs no tokenizer; end tokens mean nothing.
 * @throws TRIMKV_OPTION, TRIMKV_TOKEN_RANGE, TRIMKV_POSITION_LIMIT, TRIMKV_BUDGET_TOO_SMALL, TRIMKV_GATES_MISMATCH;
 *   `signal.reason` when aborted
 */
export async function trace(model: Model, ids: readonly number[], options: TraceOptions): Promise<Trace> {
  const { steps, force, tensors = false, signal, onProgress } = options
  using session = openSession(model, ids, options)
  const { layers, kvHeads, vocabSize } = model.spec
  const recorder = new TensorRecorder({ layers, heads: kvHeads, vocab: vocabSize, prompt: ids.length, steps })
  const tokens: number[] = []
  const kept: KeptSets[] = []
  for await (const step of greedySteps(session, { ids, steps, force, promptLogits: tensors, signal })) {
    if (tensors) recorder.add(step)
    onProgress?.({ processed: step.start + step.count, total: ids.length + steps - 1 })
    if (!step.output) continue
    tokens.push(step.output.id)
    kept.push(session.cache.positions(0))
  }
  return { tokens, kept, report: cacheReport(session), tensors: recorder.tensors }
}
