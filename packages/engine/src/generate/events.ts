import type { TokenLogProb } from '../sampling/token-log-probs.ts'
import type { KeptSets } from './kept-sets.ts'
import type { Usage } from './usage.ts'

/** Why a conversation is read anew: its text was rewritten, or its last answer was stopped half-way. */
export type Reread = 'rewritten' | 'stopped'

/** A part of the prompt was read. */
export interface PrefillEvent {
  readonly type: 'prefill'
  readonly processed: number
  readonly total: number
  /**
   * Why a conversation is read again from its start: the template puts earlier turns otherwise than they were read, or the turn
   * before was stopped. Absent where only what is new is read.
   */
  readonly reread?: Reread
}

/** A token was chosen. */
export interface TokenEvent {
  readonly type: 'token'
  readonly id: number
  /** Text that became certain with this token: it may be empty, and hold what earlier tokens withheld. */
  readonly text: string
  /** Natural logarithm of the model's probability of the token; only when asked for. */
  readonly logProb?: number
  /** The most likely tokens; only when asked for. */
  readonly top?: readonly TokenLogProb[]
}

/** Tokens that one head dropped. */
export interface HeadEviction {
  readonly layer: number
  readonly head: number
  /** Ascending. */
  readonly positions: readonly number[]
}

/** Tokens were dropped; only when traced. */
export interface EvictEvent {
  readonly type: 'evict'
  /** Tokens read when it happened. */
  readonly step: number
  readonly evicted: readonly HeadEviction[]
}

/** Why an answer ended: an end token, a stop string or stop id, or the limit of new tokens. */
export type FinishReason = 'end' | 'stop' | 'length'

/** The answer is complete. */
export interface DoneEvent {
  readonly type: 'done'
  readonly reason: FinishReason
  /** The stop string that ended it; not part of the text. */
  readonly stop?: string
  /** All chosen tokens, an end token included. */
  readonly ids: readonly number[]
  readonly text: string
  /** Mean of the log-probabilities of its tokens; only when these are asked for. */
  readonly meanLogProb?: number
  readonly usage: Usage
  /** What each head keeps now; only when asked for. */
  readonly kept?: KeptSets
}

/** What happens while an answer is generated. */
export type GenerateEvent = PrefillEvent | TokenEvent | EvictEvent | DoneEvent

/** An event of one prompt among several. */
export type BatchEvent = GenerateEvent & {
  /** Which prompt, from 0. */
  readonly index: number
}
