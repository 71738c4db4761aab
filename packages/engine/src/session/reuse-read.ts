import { canTruncate, truncateSeat } from '@trimkv/cache'
import type { DecoderSession } from './decoder-session.ts'

/** How many ids two lists begin with in common. */
export function commonLength(a: readonly number[], b: readonly number[]): number {
  let at = 0
  while (at < a.length && at < b.length && a[at] === b[at]) at++
  return at
}

/** What a seat has read, and what it is to hold. */
export interface ReadAgainst {
  readonly seat: number
  readonly read: readonly number[]
  readonly ids: readonly number[]
}

/**
 * How many of `ids` need not be read because the seat holds them: all it has read, where `ids` goes on from there; what both
 * begin with, where the rest can be forgotten. At least one is always left to read, whose logits begin the answer.
 * @returns undefined when the sequence has to be read from its start
 */
export function reuseRead(session: DecoderSession, { seat, read, ids }: ReadAgainst): number | undefined {
  const shared = Math.min(commonLength(read, ids), ids.length - 1)
  if (shared === read.length) return shared
  if (shared === 0 || session.cache.needs.wholePrompt || !canTruncate(session.cache, seat)) return undefined
  truncateSeat(session.cache, seat, shared)
  return shared
}
