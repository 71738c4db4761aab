import type { Tokenizer } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import { createSampler, type Sampler } from '../sampling/sampler.ts'
import type { SamplingOptions } from '../sampling/sampling-options.ts'
import { tokenLogProbs } from '../sampling/token-log-probs.ts'
import { createStopStrings } from '../text/stop-strings.ts'
import type { FinishReason, TokenEvent } from './events.ts'

export interface AnswerOptions {
  readonly sampling: SamplingOptions
  readonly promptIds: readonly number[]
  readonly maxNew: number
  readonly stop: readonly string[]
  readonly stopIds: ReadonlySet<number>
  readonly endIds: ReadonlySet<number>
  /** How many of the most likely tokens to report with each; undefined reports no probabilities. */
  readonly logProbs: number | undefined
  /** Nothing for models without a tokenizer: texts are then empty. */
  readonly tokenizer: Tokenizer | undefined
}

function checkLogProbs(value: number | undefined): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= 0)) return
  fail('TRIMKV_OPTION', `logProbs must be an integer ≥ 0, got ${value}`, {
    details: { option: 'logProbs', value },
  })
}

/** One answer while it grows: chooses tokens, turns them into text, knows when it is over. */
export class Answer {
  readonly ids: number[] = []
  text = ''
  /** Set when the answer is over. */
  reason: FinishReason | undefined
  stop: string | undefined
  #logProbSum = 0
  readonly #options: AnswerOptions
  readonly #sampler: Sampler
  readonly #stops: ReturnType<typeof createStopStrings>
  readonly #decoder: ReturnType<Tokenizer['streamDecoder']> | undefined

  /** @throws TRIMKV_OPTION */
  constructor(options: AnswerOptions) {
    checkLogProbs(options.logProbs)
    this.#options = options
    this.#sampler = createSampler(options.sampling, options.promptIds)
    this.#stops = createStopStrings(options.stop)
    this.#decoder = options.tokenizer?.streamDecoder({ skipSpecialTokens: true })
  }

  /** Chooses the next token. @param logits [vocab] f32 */
  take(logits: Float32Array): TokenEvent {
    const { logProbs } = this.#options
    const id = this.#sampler.next(logits)
    this.ids.push(id)
    this.reason = this.#reasonOf(id)
    const text = this.#textOf(id)
    this.text += text
    if (logProbs === undefined) return { type: 'token', id, text }
    const { logProb, top } = tokenLogProbs(logits, id, logProbs)
    this.#logProbSum += logProb
    return { type: 'token', id, text, logProb, top }
  }

  /** Over the tokens so far; nothing where log-probabilities are not asked for. */
  get meanLogProb(): number | undefined {
    return this.#options.logProbs === undefined ? undefined : this.#logProbSum / this.ids.length
  }

  #reasonOf(id: number): FinishReason | undefined {
    if (this.#options.endIds.has(id)) return 'end'
    if (this.#options.stopIds.has(id)) return 'stop'
    return this.ids.length >= this.#options.maxNew ? 'length' : undefined
  }

  /** Tokens that end an answer give no text of their own, only what was withheld before them. */
  #textOf(id: number): string {
    const ends = this.reason === 'end' || this.reason === 'stop'
    const piece = ends ? '' : (this.#decoder?.push(id) ?? '')
    const rest = this.reason ? (this.#decoder?.flush() ?? '') : ''
    const { text, stop } = this.#stops.push(piece + rest)
    if (stop !== undefined) {
      this.reason = 'stop'
      this.stop = stop
      return text
    }
    return this.reason ? text + this.#stops.flush() : text
  }
}
