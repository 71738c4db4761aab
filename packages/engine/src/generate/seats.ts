import { fail } from '@trimkv/tensor'
import type { Model } from '../load-model.ts'
import { systemTokens } from '../prefix/stable-ids.ts'
import type { SamplingOptions } from '../sampling/sampling-options.ts'
import { copySequence } from '../session/copy-sequence.ts'
import { createSession } from '../session/create-session.ts'
import type { DecoderSession } from '../session/decoder-session.ts'
import { prefill } from '../session/prefill.ts'
import { allowedNewTokens } from '../session/sequence-length.ts'
import { Answer } from './answer.ts'
import type { BatchEvent, DoneEvent, EvictEvent } from './events.ts'
import type { GenerateOptions } from './generate-options.ts'
import { evictedBetween, type KeptSets } from './kept-sets.ts'
import { type Prompt, promptIds, tokenizerIfAny } from './prompt.ts'
import { usageOf } from './usage.ts'

/** One answer of a batch. */
export interface Seat {
  readonly index: number
  readonly prompt: readonly number[]
  readonly maxNew: number
  /** First tokens that are never evicted; undefined: as the cache options say. */
  readonly pin: number | undefined
  readonly answer: Answer
  kept: KeptSets
  /** Tokens of the prompt that were not read for this answer. */
  reused: number
  prefillMs: number
  decodeMs: number
}

/** The system message of a prompt that is a conversation. @throws TRIMKV_OPTION for another */
async function pinnedTokens(model: Model, prompt: Prompt, { pin, pinSystem }: GenerateOptions) {
  if (!pinSystem) return pin
  if (typeof prompt === 'object' && 'messages' in prompt) {
    const tokens = await systemTokens(model, prompt)
    return Math.max(tokens, pin ?? 0)
  }
  return fail('TRIMKV_OPTION', 'pinSystem needs a conversation', {
    why: ['the prompt is plain text or ids, without a system message'],
    hint: 'give messages, or say with pin how many tokens stay',
  })
}

/** A prompt to answer; sampling as the options say, unless it has its own. */
export interface Asked {
  readonly prompt: Prompt
  readonly sampling?: SamplingOptions
}

/** Checks prompts and prepares their answers. */
export async function createSeats(
  model: Model,
  asked: readonly Asked[],
  options: GenerateOptions,
): Promise<Seat[]> {
  const tokenizer = await tokenizerIfAny(model)
  if (asked.length === 0) fail('TRIMKV_OPTION', 'There is no prompt to answer')
  if (!tokenizer && (options.stop ?? []).length > 0) await model.tokenizer()
  const seats: Seat[] = []
  for (const [index, { prompt: input, sampling = options }] of asked.entries()) {
    const prompt = await promptIds(model, input)
    options.signal?.throwIfAborted()
    const sequence = { promptTokens: prompt.length, maxNewTokens: options.maxNewTokens }
    const maxNew = allowedNewTokens(model.spec, sequence, options)
    const answer = new Answer({
      sampling,
      promptIds: prompt,
      maxNew,
      stop: options.stop ?? [],
      stopIds: new Set(options.stopIds),
      endIds: options.ignoreEnd ? new Set() : model.endIds,
      logProbs: options.logProbs,
      tokenizer,
    })
    const pin = await pinnedTokens(model, input, options)
    seats.push({ index, prompt, maxNew, pin, answer, kept: [], reused: 0, prefillMs: 0, decodeMs: 0 })
  }
  return seats
}

/** A cache for these answers: empty, or copies of the prefix. */
export async function openSession(
  model: Model,
  seats: readonly Seat[],
  options: GenerateOptions,
): Promise<DecoderSession> {
  // A finished sequence may be carried along inside the batch until its neighbours are done.
  const maxTokens =
    Math.max(...seats.map((seat) => seat.prompt.length)) + Math.max(...seats.map((seat) => seat.maxNew))
  const { prefix, signal } = options
  if (!prefix) {
    const lengths = seats.map((seat) => seat.prompt.length + seat.maxNew)
    return createSession(model, options, { batch: seats.length, maxTokens, lengths })
  }
  if (prefix.model !== model) fail('TRIMKV_OPTION', 'The prefix was read by another model')
  if (options.pinSystem || options.pin !== undefined) {
    fail('TRIMKV_OPTION', 'pin has no effect on a prefix', { hint: 'pin when the prefix is read' })
  }
  return prefix.fork(options, { batch: seats.length, maxTokens, signal })
}

export function doneEvent(session: DecoderSession, seat: Seat, { keptSets }: GenerateOptions): DoneEvent {
  const { prompt, answer, reused, prefillMs, decodeMs } = seat
  const { reason, stop, ids, text } = answer
  return {
    type: 'done',
    reason: reason!,
    ...(stop !== undefined && { stop }),
    ids,
    text,
    ...(answer.meanLogProb !== undefined && { meanLogProb: answer.meanLogProb }),
    usage: usageOf(session, {
      promptTokens: prompt.length - reused,
      reusedTokens: reused,
      newTokens: ids.length,
      prefillMs,
      decodeMs,
    }),
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

/** Events of several answers. */
export type Events = AsyncGenerator<BatchEvent, void, undefined>

/** Begins a sequence. @returns how many tokens of its prompt the cache holds already */
function beginSeat(session: DecoderSession, seat: Seat, { prefix }: GenerateOptions): number {
  const { index, prompt, maxNew, pin } = seat
  if (prefix) return prefix.fit(session, index, prompt)
  session.begin(index, prompt.length + maxNew, pin)
  return 0
}

/** Reads the prompt of a seat; `copies` are answers to the same prompt, which go on from what was read. */
export async function* readPrompt(
  session: DecoderSession,
  { seat, copies = [] }: { readonly seat: Seat; readonly copies?: readonly Seat[] },
  options: GenerateOptions,
): Events {
  const { index, prompt } = seat
  const { trace, signal } = options
  seat.reused = beginSeat(session, seat, options)
  if (trace) seat.kept = session.cache.positions(index)
  const ids = prompt.slice(seat.reused)
  let seen = seat.reused
  for await (const step of prefill(session, { seat: index, ids, output: 'last', signal })) {
    const { processed, total, result } = step
    seat.prefillMs += result.ms
    yield { index, type: 'prefill', processed, total }
    if (trace) for (const event of evictEvent(session, seat, seen)) yield { index, ...event }
    seen = seat.reused + processed
    if (processed < total) continue
    for (const copy of copies) {
      await copySequence({ session, seat: index }, { session, seat: copy.index }, signal)
      copy.reused = prompt.length
      copy.kept = seat.kept
    }
    for (const each of [seat, ...copies]) yield { index: each.index, ...each.answer.take(result.values) }
  }
}

/** One token for every sequence from the first to the last that is not over. */
async function* decodeStep(
  session: DecoderSession,
  { seats, logits }: { readonly seats: readonly Seat[]; readonly logits: Float32Array },
  options: GenerateOptions,
): Events {
  const { trace, signal } = options
  const vocab = session.model.spec.vocabSize
  const active = seats.filter((seat) => !seat.answer.reason)
  const first = active[0]!.index
  const count = active.at(-1)!.index - first + 1
  const ids = seats.slice(first, first + count).map((seat) => [seat.answer.ids.at(-1)!])
  const into = logits.subarray(0, count * vocab)
  const seatRange = { first, count }
  const { ms } = await session.forward({ seats: seatRange, ids, output: { kind: 'last' }, signal, into })
  for (const seat of active) {
    const { index, answer } = seat
    const row = index - first
    seat.decodeMs += ms
    if (trace)
      for (const event of evictEvent(session, seat, session.cache.seen(index) - 1)) yield { index, ...event }
    yield { index, ...answer.take(into.subarray(row * vocab, (row + 1) * vocab)) }
    if (answer.reason) yield { index, ...doneEvent(session, seat, options) }
  }
}

/** Decodes the answers that are not over until they are. */
export async function* decodeAll(
  session: DecoderSession,
  seats: readonly Seat[],
  options: GenerateOptions,
): Events {
  session.endPrefill()
  const logits = new Float32Array(seats.length * session.model.spec.vocabSize)
  while (seats.some((seat) => !seat.answer.reason)) yield* decodeStep(session, { seats, logits }, options)
}
