import type { Prefix } from '../prefix/prefix.ts'
import type { SamplingOptions } from '../sampling/sampling-options.ts'
import type { CacheOptions } from '../session/cache-options.ts'

/** How answers are generated. */
export interface GenerateOptions extends CacheOptions, SamplingOptions {
  /** Default 256, or less when the model's limit is nearer. */
  readonly maxNewTokens?: number
  /** End before any of these texts. */
  readonly stop?: readonly string[]
  /** End after any of these ids, beside the model's own end tokens. */
  readonly stopIds?: readonly number[]
  /** Go on past the model's end tokens. */
  readonly ignoreEnd?: boolean
  /** Report log-probabilities, and so many of the most likely tokens with each; integer ≥ 0. */
  readonly logProbs?: number
  /** Report evictions. Reads the cache back after every forward, so it is slower. */
  readonly trace?: boolean
  /** Put what each head keeps into the last event. */
  readonly keptSets?: boolean
  /** Never evict the system message of a conversation, inside the budget. */
  readonly pinSystem?: boolean
  /**
   * Go on from a copy of what was read once. Cache options are then those of the prefix, and the prompt must begin with its
   * tokens.
   */
  readonly prefix?: Prefix
  readonly signal?: AbortSignal
}
