import { copySeatSlots, finishSeatCopy } from '@trimkv/cache'
import { fail } from '@trimkv/tensor'
import { DecoderSession } from './decoder-session.ts'

/** A seat of a session. */
export interface SessionSeat {
  readonly session: DecoderSession
  readonly seat: number
}

/**
 * Copies a sequence into another seat of the same session or of one with the same model and cache options: what the cache
 * holds of it, and its rotary factors. Slots are copied off the JavaScript thread, as fast as memory is.
 * @throws TRIMKV_OPTION for a session of another model or policy, TRIMKV_POSITION_LIMIT when it does not fit,
 *   `signal.reason` when aborted; the target is then to begin anew
 */
export async function copySequence(from: SessionSeat, to: SessionSeat, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  const { model, cache } = from.session
  if (to.session.model !== model || to.session.cache.policy.name !== cache.policy.name) {
    fail('TRIMKV_OPTION', 'A sequence can be copied between sessions of one model and one policy only', {
      hint: 'make the other session with `forkSession`',
    })
  }
  const copy = { from: cache, fromSeat: from.seat, to: to.session.cache, toSeat: to.seat }
  if (cache.seen(from.seat) > 0) {
    using program = model.device.record((ops) => {
      copySeatSlots(ops, copy)
    })
    await program.run(signal ? { signal } : {})
  }
  finishSeatCopy(copy)
  to.session.adopt(to.seat, from.session.rotary(from.seat))
}

/** How large a fork is. */
export interface ForkSize {
  /** Sequences side by side, each a copy. Default 1. */
  readonly batch?: number
  /** Tokens of the longest sequence when it ends. Default: that of the session. */
  readonly maxTokens?: number
  readonly signal?: AbortSignal | undefined
}

/**
 * A new session whose sequences all go on where one of this session stands; neither sees the other from then on. What was read
 * is shared by copying it: nothing is read twice.
 * @throws as {@link copySequence}, TRIMKV_OUT_OF_MEMORY; nothing is left behind
 */
export async function forkSession(from: SessionSeat, size: ForkSize = {}): Promise<DecoderSession> {
  const { model, options } = from.session
  const { batch = 1, maxTokens = options.maxTokens, signal } = size
  const session = new DecoderSession(model, { ...options, batch, maxTokens })
  try {
    for (let seat = 0; seat < batch; seat++) await copySequence(from, { session, seat }, signal)
    return session
  } catch (error) {
    session[Symbol.dispose]()
    throw error
  }
}
