import { fail } from '@trimkv/tensor'
import type { Model } from '../load-model.ts'
import type { SamplingOptions } from '../sampling/sampling-options.ts'
import type { CacheOptions } from '../session/cache-options.ts'
import { createSession } from '../session/create-session.ts'
import type { DecoderSession } from '../session/decoder-session.ts'
import { prefill } from '../session/prefill.ts'
import { allowedNewTokens } from '../session/sequence-length.ts'
import { Answer } from './answer.ts'
import type { BatchEvent, DoneEvent, EvictEvent } from './events.ts'
import { evictedBetween, type KeptSets } from './kept-sets.ts'
import { type Prompt, promptIds, tokenizerIfAny } from './prompt.ts'
import { usageOf } from './usage.ts'

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
  /** Report log-probabilities, and so many of the most likely tokens with each. */
  readonly logProbs?: number
  /** Report evictions. Reads the cache back after every forward, so it is slower. */
  readonly trace?: boolean
  /** Put what each head keeps into the last event. */
  readonly keptSets?: boolean
  readonly signal?: AbortSignal
}

/** One prompt of a batch. */
interface Seat {
  readonly index: number
  readonly prompt: readonly number[]
  readonly maxNew: number
  readonly answer: Answer
  kept: KeptSets
  prefillMs: number
  firstTokenAt: number
}

async function createSeats(
  model: Model,
  prompts: readonly Prompt[],
  options: GenerateOptions,
): Promise<Seat[]> {
  const tokenizer = await tokenizerIfAny(model)
  if (prompts.length === 0) fail('TRIMKV_OPTION', 'There is no prompt to answer')
  if (!tokenizer && (options.stop ?? []).length > 0) await model.tokenizer()
  const seats: Seat[] = []
  for (const [index, input] of prompts.entries()) {
    const prompt = await promptIds(model, input)
    options.signal?.throwIfAborted()
    const sequence = { promptTokens: prompt.length, maxNewTokens: options.maxNewTokens }
    const maxNew = allowedNewTokens(model.spec, sequence, options)
    const answer = new Answer({
      sampling: options,
      promptIds: prompt,
      maxNew,
      stop: options.stop ?? [],
      stopIds: new Set(options.stopIds),
      endIds: options.ignoreEnd ? new Set() : model.endIds,
      logProbs: options.logProbs,
      tokenizer,
    })
    seats.push({ index, prompt, maxNew, answer, kept: [], prefillMs: 0, firstTokenAt: 0 })
  }
  return seats
}

function openSession(model: Model, seats: readonly Seat[], options: GenerateOptions): DecoderSession {
  // A finished sequence may be carried along inside the batch until its neighbours are done.
  const maxTokens =
    Math.max(...seats.map((seat) => seat.prompt.length)) + Math.max(...seats.map((seat) => seat.maxNew))
  return createSession(model, options, { batch: seats.length, maxTokens })
}

function doneEvent(session: DecoderSession, seat: Seat, { keptSets }: GenerateOptions): DoneEvent {
  const { prompt, answer, prefillMs, firstTokenAt } = seat
  const decodeMs = performance.now() - firstTokenAt
  const { reason, stop, ids, text } = answer
  return {
    type: 'done',
    reason: reason!,
    ...(stop !== undefined && { stop }),
    ids,
    text,
    usage: usageOf(session, { promptTokens: prompt.length, newTokens: ids.length, prefillMs, decodeMs }),
    ...(keptSets && { kept: session.cache.positions(seat.index) }),
  }
}

/** Notes what a seat keeps now; an event when it dropped something. */
function evictEvent({ cache }: DecoderSession, seat: Seat, seenBefore: number): EvictEvent[] {
  const kept = cache.positions(seat.index)
  const step = cache.seen(seat.index)
  const evicted = evictedBetween(seat.kept, kept, { before: seenBefore, after: step })
  seat.kept = kept
  return evicted.length > 0 ? [{ type: 'evict', step, evicted }] : []
}

type Events = AsyncGenerator<BatchEvent, void, undefined>

async function* readPrompt(session: DecoderSession, seat: Seat, { trace, signal }: GenerateOptions): Events {
  const { index, prompt, answer } = seat
  const started = performance.now()
  session.begin(index, prompt.length + seat.maxNew)
  let seen = 0
  for await (const step of prefill(session, { seat: index, ids: prompt, output: 'last', signal })) {
    const { processed, total, result } = step
    yield { index, type: 'prefill', processed, total }
    if (trace) for (const event of evictEvent(session, seat, seen)) yield { index, ...event }
    seen = processed
    if (processed < total) continue
    seat.prefillMs = performance.now() - started
    seat.firstTokenAt = performance.now()
    yield { index, ...answer.take(result.values) }
  }
}

/** One token for every sequence from the first to the last that is not over. */
async function* decodeStep(
  session: DecoderSession,
  seats: readonly Seat[],
  options: GenerateOptions,
): Events {
  const { trace, signal } = options
  const active = seats.filter((seat) => !seat.answer.reason)
  const first = active[0]!.index
  const count = active.at(-1)!.index - first + 1
  const ids = seats.slice(first, first + count).map((seat) => [seat.answer.ids.at(-1)!])
  const { values } = await session.forward({ seats: { first, count }, ids, output: { kind: 'last' }, signal })
  const vocab = values.length / count
  for (const seat of active) {
    const { index, answer } = seat
    const row = index - first
    if (trace)
      for (const event of evictEvent(session, seat, session.cache.seen(index) - 1)) yield { index, ...event }
    yield { index, ...answer.take(values.subarray(row * vocab, (row + 1) * vocab)) }
    if (answer.reason) yield { index, ...doneEvent(session, seat, options) }
  }
}

/**
 * Answers several prompts side by side: prompts are read one after the other, tokens are decoded together. Every
 * sequence gets the same tokens as alone. Memory is taken when the first event is asked for and freed when the last one
 * was delivered or the loop is left.
 * @throws TRIMKV_OPTION, TRIMKV_TOKEN_RANGE, TRIMKV_POSITION_LIMIT, TRIMKV_BUDGET_TOO_SMALL, TRIMKV_GATES_MISMATCH,
 *   TRIMKV_TEMPLATE, TRIMKV_POLICY_CONTRACT; `signal.reason` when aborted
 */
export async function* generateBatch(
  model: Model,
  prompts: readonly Prompt[],
  options: GenerateOptions = {},
): Events {
  options.signal?.throwIfAborted()
  const seats = await createSeats(model, prompts, options)
  using session = openSession(model, seats, options)
  for (const seat of seats) {
    yield* readPrompt(session, seat, options)
    if (seat.answer.reason) yield { index: seat.index, ...doneEvent(session, seat, options) }
  }
  session.endPrefill()
  while (seats.some((seat) => !seat.answer.reason)) yield* decodeStep(session, seats, options)
}
