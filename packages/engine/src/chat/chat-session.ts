import type { ChatMessage } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import { Answer } from '../generate/answer.ts'
import type { GenerateEvent } from '../generate/events.ts'
import type { GenerateOptions } from '../generate/generate-batch.ts'
import { promptIds } from '../generate/prompt.ts'
import { usageOf } from '../generate/usage.ts'
import type { Model } from '../load-model.ts'
import { createSession } from '../session/create-session.ts'
import type { DecoderSession } from '../session/decoder-session.ts'
import { prefill } from '../session/prefill.ts'
import { allowedNewTokens } from '../session/sequence-length.ts'

export interface ChatOptions extends Omit<GenerateOptions, 'trace' | 'keptSets'> {
  /** Comes before the first message. */
  readonly system?: string
  /** For models that can think before they answer. */
  readonly enableThinking?: boolean
  /** Longest conversation in tokens; a full cache takes address space for it. Default: the model's limit. */
  readonly maxTokens?: number
}

/**
 * A conversation that goes on in one cache: a turn reads only what is new. Where the template rewrites earlier turns, or
 * a turn was aborted, the conversation is read again from its start, and the prefill events show it.
 */
export class ChatSession implements Disposable {
  readonly messages: ChatMessage[] = []
  readonly #model: Model
  readonly #options: ChatOptions
  readonly #maxTokens: number
  readonly #session: DecoderSession
  /** Ids the cache has read; undefined when it must start anew. */
  #read: number[] | undefined
  #answering = false

  /** @throws TRIMKV_OPTION, TRIMKV_BUDGET_TOO_SMALL, TRIMKV_GATES_MISMATCH */
  constructor(model: Model, options: ChatOptions = {}) {
    this.#model = model
    this.#options = options
    this.#maxTokens = options.maxTokens ?? model.spec.maxLength
    if (options.system !== undefined) this.messages.push({ role: 'system', content: options.system })
    this.#session = createSession(model, options, { batch: 1, maxTokens: this.#maxTokens, grows: true })
  }

  /**
   * Says something and streams the answer, which joins `messages` when it is complete. Leaving the loop early or aborting
   * takes the message back.
   * @throws TRIMKV_TEMPLATE without a chat template, TRIMKV_POSITION_LIMIT, TRIMKV_OPTION; `signal.reason` when aborted
   */
  async *send(
    content: string,
    signal: AbortSignal | undefined = this.#options.signal,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    if (this.#answering) {
      fail('TRIMKV_OPTION', 'The answer before is not complete', {
        hint: 'read its events to the end, or leave its loop',
      })
    }
    this.#answering = true
    try {
      yield* this.#turn({ role: 'user', content }, signal)
    } finally {
      this.#answering = false
    }
  }

  async *#turn(
    asked: ChatMessage,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    const { enableThinking } = this.#options
    const messages = [...this.messages, asked]
    const ids = await promptIds(this.#model, {
      messages,
      ...(enableThinking !== undefined && { enableThinking }),
    })
    const answer = await this.#answer(ids)
    const fresh = this.#unread(ids)
    const read = [...ids]
    for await (const event of this.#run({ fresh, answer, read, signal })) {
      if (event.type === 'done') {
        this.#read = read
        this.messages.push(asked, { role: 'assistant', content: answer.text })
      }
      yield event
    }
  }

  /** The part of the conversation that the cache has not read; everything, after emptying it, when it does not continue. */
  #unread(ids: readonly number[]): readonly number[] {
    const read = this.#read
    // Until the turn is complete the cache holds something that is not in `messages`.
    this.#read = undefined
    if (read && read.length < ids.length && read.every((id, at) => ids[at] === id))
      return ids.slice(read.length)
    this.#session.begin(0, this.#maxTokens)
    return ids
  }

  async #answer(ids: readonly number[]): Promise<Answer> {
    const { maxNewTokens, stop = [], stopIds, ignoreEnd, logProbs } = this.#options
    const room = this.#maxTokens - ids.length + 1
    if (room < 1) {
      fail(
        'TRIMKV_POSITION_LIMIT',
        `The conversation has ${ids.length} tokens and may have ${this.#maxTokens}`,
        {
          hint: 'start a new conversation',
        },
      )
    }
    const allowed = allowedNewTokens(
      this.#model.spec,
      { promptTokens: ids.length, maxNewTokens },
      this.#options,
    )
    return new Answer({
      sampling: this.#options,
      promptIds: ids,
      maxNew: Math.min(allowed, room),
      stop,
      stopIds: new Set(stopIds),
      endIds: ignoreEnd ? new Set() : this.#model.endIds,
      logProbs,
      tokenizer: await this.#model.tokenizer(),
    })
  }

  async *#run(turn: {
    fresh: readonly number[]
    answer: Answer
    read: number[]
    signal: AbortSignal | undefined
  }): AsyncGenerator<GenerateEvent, void, undefined> {
    const { fresh, answer, read, signal } = turn
    const session = this.#session
    const started = performance.now()
    let prefillMs = 0
    for await (const { processed, total, result } of prefill(session, {
      seat: 0,
      ids: fresh,
      output: 'last',
      signal,
    })) {
      yield { type: 'prefill', processed, total }
      if (processed < total) continue
      prefillMs = performance.now() - started
      yield answer.take(result.values)
    }
    session.endPrefill()
    while (!answer.reason) {
      const id = answer.ids.at(-1)!
      const { values } = await session.forward({ ids: [[id]], output: { kind: 'last' }, signal })
      read.push(id)
      yield answer.take(values)
    }
    const decodeMs = performance.now() - started - prefillMs
    const { reason, stop, ids, text } = answer
    const usage = usageOf(session, { promptTokens: fresh.length, newTokens: ids.length, prefillMs, decodeMs })
    yield { type: 'done', reason, ...(stop !== undefined && { stop }), ids, text, usage }
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]()
  }
}
