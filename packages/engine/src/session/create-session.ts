import { fail } from '@trimkv/tensor'
import type { Model } from '../load-model.ts'
import { type CacheOptions, type CacheSettings, resolveCacheOptions } from './cache-options.ts'
import { DecoderSession, type SessionOptions } from './decoder-session.ts'

/** How large a session is. */
export interface SessionSize extends Pick<SessionOptions, 'batch' | 'maxTokens' | 'grows' | 'trace'> {
  /** Tokens of each sequence when it ends, which a share is taken of. Default: all have `maxTokens`. */
  readonly lengths?: readonly number[]
}

/** The settings of all sequences. @throws TRIMKV_OPTION where a share is not the same number of tokens for each */
function sharedSettings(
  model: Model,
  options: CacheOptions,
  { batch, maxTokens, lengths = [maxTokens] }: SessionSize,
): CacheSettings {
  const [settings, ...others] = [...new Set(lengths)].map((contextTokens) =>
    resolveCacheOptions(options, {
      spec: model.spec,
      hasGates: model.decoder.gates !== undefined,
      contextTokens,
      batch,
      pageBytes: model.device.pageBytes,
    }),
  )
  const budgets = [settings!, ...others].map(({ budget }) => budget)
  if (new Set(budgets).size === 1) return settings!
  return fail(
    'TRIMKV_OPTION',
    `A budget of ${options.budget} is not the same for all sequences of the batch`,
    {
      why: [`of the shortest it is ${Math.min(...budgets)} tokens, of the longest ${Math.max(...budgets)}`],
      hint: 'give tokens, or answer prompts of different lengths one by one',
      details: { option: 'budget', value: options.budget },
    },
  )
}

/**
 * A session over a new cache, with the defaults of {@link CacheOptions} filled in.
 * @param size how many sequences, and how long the longest is when it ends
 * @throws TRIMKV_OPTION for a share of sequences with different lengths; as `resolveCacheOptions` and `DecoderSession`
 */
export function createSession(model: Model, options: CacheOptions, size: SessionSize): DecoderSession {
  const { lengths: _, ...held } = size
  return new DecoderSession(model, { ...sharedSettings(model, options, size), ...held })
}
