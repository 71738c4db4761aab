import type { Model } from '../load-model.ts'
import type { GenerateOptions } from './generate-options.ts'
import type { Prompt } from './prompt.ts'
import { createSeats, decodeAll, doneEvent, type Events, openSession, readPrompt } from './seats.ts'

/**
 * Answers several prompts side by side: prompts are read one after the other, tokens are decoded together. Every
 * sequence gets the same tokens as alone with its budget: one in bytes is divided by the number of prompts, and a share that
 * would be another number of tokens for another prompt is refused. Memory is taken when the first event is asked for and freed
 * when the last one was delivered or the loop is left.
 * @throws TRIMKV_OPTION, TRIMKV_TOKEN_RANGE, TRIMKV_POSITION_LIMIT, TRIMKV_BUDGET_TOO_SMALL, TRIMKV_GATES_MISMATCH,
 *   TRIMKV_TEMPLATE, TRIMKV_POLICY_CONTRACT; `signal.reason` when aborted
 */
export async function* generateBatch(
  model: Model,
  prompts: readonly Prompt[],
  options: GenerateOptions = {},
): Events {
  options.signal?.throwIfAborted()
  const asked = prompts.map((prompt) => ({ prompt }))
  const seats = await createSeats(model, asked, options)
  using session = await openSession(model, seats, options)
  for (const seat of seats) {
    yield* readPrompt(session, { seat }, options)
    if (seat.answer.reason) yield { index: seat.index, ...doneEvent(session, seat, options) }
  }
  yield* decodeAll(session, seats, options)
}
