import { setTimeout } from 'node:timers/promises'
import { fail } from '@trimkv/tensor'

/** How patient a download is. */
export interface Patience {
  /** Attempts in a row that may fail without a new byte. */
  readonly attempts: number
  /** Pause after the first failure; it doubles with each, up to 30 s, with some chance in it. */
  readonly delayMs: number
  /** Time without a byte after which a connection counts as lost. */
  readonly idleMs: number
}

/** What came of one attempt: a result, or why it should be tried again. */
export type Attempt<T> =
  | { readonly done: T }
  | {
      readonly again: string
      /** What the server asked to wait. */
      readonly afterMs?: number | undefined
      /** Whether it came nearer to the end than all before. */
      readonly isNearer?: boolean
      readonly cause?: unknown
    }

const longestPauseMs = 30_000
const longestAskedPauseMs = 120_000

interface Work<T> {
  /** What is tried, for messages. */
  readonly what: string
  readonly patience: Patience
  readonly signal: AbortSignal
  readonly attempt: () => Promise<Attempt<T>>
}

/**
 * Tries until it is done.
 * @throws TrimError `TRIMKV_NETWORK` when patience is at its end; what `attempt` throws; the reason of the signal
 */
export async function withRetries<T>({ what, patience, signal, attempt }: Work<T>): Promise<T> {
  let failures = 0
  for (;;) {
    signal.throwIfAborted()
    const result = await attempt()
    if ('done' in result) return result.done
    signal.throwIfAborted()
    failures = result.isNearer ? 1 : failures + 1
    if (failures >= patience.attempts) {
      fail('TRIMKV_NETWORK', `${what} failed`, {
        why: [result.again, `${failures} attempts in a row came to nothing`],
        hint: 'try again later: what came so far is kept; HF_ENDPOINT names a mirror',
        details: { attempts: failures },
        cause: result.cause,
      })
    }
    const backoff = patience.delayMs * 2 ** (failures - 1) * (1 + Math.random() / 2)
    await pause(
      Math.max(Math.min(backoff, longestPauseMs), Math.min(result.afterMs ?? 0, longestAskedPauseMs)),
      signal,
    )
  }
}

/** @throws the reason of the signal when it is aborted before the time is over */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => undefined)
  signal.throwIfAborted()
}
