import type { Model } from '../load-model.ts'
import { type CacheOptions, resolveCacheOptions } from './cache-options.ts'
import { DecoderSession, type SessionOptions } from './decoder-session.ts'

/**
 * A session over a new cache, with the defaults of {@link CacheOptions} filled in.
 * @param size how many sequences, and how long the longest is when it ends
 * @throws as `resolveCacheOptions` and `DecoderSession`
 */
export function createSession(
  model: Model,
  options: CacheOptions,
  size: Pick<SessionOptions, 'batch' | 'maxTokens' | 'grows' | 'trace'>,
): DecoderSession {
  const settings = resolveCacheOptions(options, {
    spec: model.spec,
    hasGates: model.decoder.gates !== undefined,
    contextTokens: size.maxTokens,
    batch: size.batch,
    pageBytes: model.device.pageBytes,
  })
  return new DecoderSession(model, { ...settings, ...size })
}
