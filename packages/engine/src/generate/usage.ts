import type { DecoderSession } from '../session/decoder-session.ts'
import { type CacheReport, cacheReport } from '../session/session-report.ts'

/** What an answer took. */
export interface Usage extends CacheReport {
  /** Tokens read before the answer began; of a turn of a conversation, those that were new. */
  readonly promptTokens: number
  /** Tokens before the answer that the cache held already: of earlier turns, a prefix, or another sample. */
  readonly reusedTokens: number
  readonly newTokens: number
  /** Of the forwards that read the prompt. */
  readonly prefillMs: number
  /** Of the forwards after the prompt; those of a batch give a token to each of its sequences. */
  readonly decodeMs: number
  /** Of the forwards after the prompt; undefined when there was none. */
  readonly tokensPerSecond: number | undefined
}

/** @throws TRIMKV_INVARIANT as `cacheReport` */
export function usageOf(
  session: DecoderSession,
  counts: Omit<Usage, keyof CacheReport | 'tokensPerSecond'>,
): Usage {
  const steps = counts.newTokens - 1
  return {
    ...cacheReport(session),
    ...counts,
    tokensPerSecond: steps > 0 ? (1000 * steps) / counts.decodeMs : undefined,
  }
}
