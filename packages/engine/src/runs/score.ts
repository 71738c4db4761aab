import { fail } from '@trimkv/tensor'
import { type Prompt, promptIds } from '../generate/prompt.ts'
import type { Model } from '../load-model.ts'
import type { CacheOptions } from '../session/cache-options.ts'
import { createSession } from '../session/create-session.ts'
import type { DecoderSession } from '../session/decoder-session.ts'
import { defaultChunk } from '../session/prefill.ts'
import { allowedNewTokens } from '../session/sequence-length.ts'
import { type CacheReport, cacheReport } from '../session/session-report.ts'

export interface ScoreOptions extends CacheOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: (tokens: { readonly processed: number; readonly total: number }) => void
}

/** How likely a text is under a model and a cache policy. */
export interface TextScore {
  readonly ids: readonly number[]
  /** Natural log-probability of each token after the first, given those before it that the cache still holds. */
  readonly logProbs: Float32Array
  /** exp of the mean negative log-probability. */
  readonly perplexity: number
  readonly report: CacheReport
}

function openSession(model: Model, ids: readonly number[], options: ScoreOptions): DecoderSession {
  if (ids.length < 2)
    fail('TRIMKV_OPTION', `A text of ${ids.length} token cannot be scored`, {
      why: ['the first token has nothing before it'],
    })
  allowedNewTokens(model.spec, { promptTokens: ids.length - 1, maxNewTokens: 1 }, options)
  const session = createSession(model, options, { batch: 1, maxTokens: ids.length })
  if (!session.cache.needs.wholePrompt) return session
  session[Symbol.dispose]()
  return fail('TRIMKV_OPTION', 'A policy that cuts after the prompt cannot score a text', {
    why: ['the text is the prompt: nothing would be evicted before its last token'],
    hint: 'choose when=decode, or trace the run',
  })
}

/**
 * Log-probabilities of a text, read chunk by chunk: tokens of one chunk see all of the chunk before them, and evictions
 * happen between chunks. `exact` reads one token at a time.
 * @throws TRIMKV_OPTION for fewer than two tokens or a policy that cuts after the prompt; as `generate` otherwise
 */
export async function score(model: Model, text: Prompt, options: ScoreOptions = {}): Promise<TextScore> {
  const { signal, onProgress } = options
  signal?.throwIfAborted()
  const ids = await promptIds(model, text)
  using session = openSession(model, ids, options)
  const total = ids.length - 1
  const length = session.options.chunk === 0 ? total : (session.options.chunk ?? defaultChunk)
  const logProbs = new Float32Array(total)
  session.begin(0, ids.length)
  for (let start = 0; start < total; start += length) {
    const end = Math.min(start + length, total)
    const output = { kind: 'logProbs', targets: ids.slice(start + 1, end + 1) } as const
    const { values } = await session.forward({ ids: [ids.slice(start, end)], output, signal })
    logProbs.set(values, start)
    onProgress?.({ processed: end, total })
  }
  const mean = logProbs.reduce((a, b) => a + b, 0) / total
  return { ids, logProbs, perplexity: Math.exp(-mean), report: cacheReport(session) }
}
