import type { ChatMessage } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import { Answer } from '../generate/answer.ts'
import type { GenerateEvent, Reread } from '../generate/events.ts'
import type { GenerateOptions } from '../generate/generate-options.ts'
import { usageOf } from '../generate/usage.ts'
import type { Model } from '../load-model.ts'
import { systemTokens } from '../prefix/stable-ids.ts'
import { forkSession } from '../session/copy-sequence.ts'
import { createSession } from '../session/create-session.ts'
import type { DecoderSession } from '../session/decoder-session.ts'
import { prefill } from '../session/prefill.ts'
import { reuseRead } from '../session/reuse-read.ts'
import { allowedNewTokens } from '../session/sequence-length.ts'
import { type RestoreOptions, restoreSession, saveSession } from '../session/session-file.ts'
import { refuseSession } from '../session/session-settings.ts'
import { continuedIds, type Said } from './continued-ids.ts'

/** How a conversation is cached and answered. */
export interface ChatOptions extends Omit<GenerateOptions, 'trace' | 'keptSets' | 'prefix'> {
  /** Comes before the first message. */
  readonly system?: string
  /** For models that can think before they answer. */
  readonly enableThinking?: boolean
  /** Longest conversation in tokens; a full cache takes address space for it. Default: the model's limit. */
  readonly maxTokens?: number
}

/** What a conversation is made of when it goes on from somewhere. */
interface Held {
  readonly session: DecoderSession
  readonly messages: readonly ChatMessage[]
  readonly said: Said | undefined
}

/** A conversation whose options are not said again keeps those it was saved with; the system message is the saved one. */
export type RestoreChatOptions = ChatOptions & Pick<RestoreOptions, 'maxTokens'>

/** What a turn has to read. */
interface Unread {
  readonly fresh: readonly number[]
  readonly reused: number
  readonly reread: Reread | undefined
}

/**
 * A conversation that goes on in one cache: a turn reads only what is new. Where the template puts earlier turns otherwise than
 * they were read, the cache is cut back to what still holds, if nothing was evicted; else, and after a turn that was stopped,
 * the conversation is read again from its start, and the prefill events say so (`reread`).
 */
export class ChatSession implements Disposable {
  readonly messages: ChatMessage[] = []
  readonly #model: Model
  readonly #options: ChatOptions
  readonly #maxTokens: number
  readonly #session: DecoderSession
  /** What the cache has read; undefined when it must start anew. */
  #said: Said | undefined
  #isBusy = false

  /**
   * @param held @internal a conversation to go on with
   * @throws TRIMKV_OPTION, TRIMKV_BUDGET_TOO_SMALL, TRIMKV_GATES_MISMATCH
   */
  constructor(model: Model, options: ChatOptions = {}, held?: Held) {
    this.#model = model
    this.#options = options
    this.#maxTokens = options.maxTokens ?? model.spec.maxLength
    if (held) {
      this.#session = held.session
      this.#said = held.said
      this.messages.push(...held.messages)
      return
    }
    if (options.system !== undefined) this.messages.push({ role: 'system', content: options.system })
    if (options.pinSystem && options.system === undefined) {
      fail('TRIMKV_OPTION', 'pinSystem needs a system message', { details: { option: 'pinSystem' } })
    }
    this.#session = createSession(model, options, { batch: 1, maxTokens: this.#maxTokens, grows: true })
  }

  /**
   * Puts a conversation back that was saved; it goes on as if it had never stopped. Options that are not given are as saved.
   * @throws as `restoreSession`; TRIMKV_FORMAT when the file holds no conversation; TRIMKV_SESSION_MISMATCH for another system
   *   message
   */
  static async restore(model: Model, path: string, options: RestoreChatOptions = {}): Promise<ChatSession> {
    const { system, signal } = options
    const restored = await restoreSession(model, path, { ...cacheOptionsOf(options), signal })
    const { session, ids, messages } = restored
    try {
      if (!messages || ids.length !== 1) {
        return fail('TRIMKV_FORMAT', `${path} holds no conversation`, {
          hint: 'a saved prefix is given to generate',
          details: { file: path },
        })
      }
      checkSystem(path, messages, system)
      const [read = []] = ids
      const said = read.length > 0 ? { read, pending: restored.pending } : undefined
      const chat = new ChatSession(model, options, { session, messages, said })
      await chat.#checkPinned(path)
      return chat
    } catch (error) {
      session[Symbol.dispose]()
      throw error
    }
  }

  /**
   * Writes the conversation and its cache to a file, for {@link ChatSession.restore}.
   * @throws TRIMKV_OPTION while an answer is coming; TRIMKV_TEMPLATE, TRIMKV_BUDGET_TOO_SMALL where the system message is pinned;
   *   TRIMKV_DISK, TRIMKV_IO; `signal.reason` when aborted. What was there before stays
   */
  async save(path: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#alone(async () => {
      // What a stopped turn left in the cache is of no use: the conversation is kept, and read again when it goes on.
      if (!this.#said) this.#session.begin(0, this.#maxTokens, await this.#pinned(this.messages))
      const { read = [], pending } = this.#said ?? {}
      await saveSession(this.#session, path, {
        ids: [read],
        messages: this.messages,
        ...(pending && { pending }),
        signal: options.signal,
      })
    })
  }

  /**
   * A second conversation that goes on from here by itself, in a cache of its own: what was read is copied, not read again.
   * @throws TRIMKV_OPTION while an answer is coming; as `forkSession`
   */
  async fork(options: { readonly signal?: AbortSignal | undefined } = {}): Promise<ChatSession> {
    const from = { session: this.#session, seat: 0 }
    const session = await this.#alone(() => forkSession(from, options))
    return new ChatSession(this.#model, this.#options, {
      session,
      messages: this.messages,
      said: this.#said,
    })
  }

  #checkIdle(): void {
    if (!this.#isBusy) return
    fail('TRIMKV_OPTION', 'The answer before is not complete, or the conversation is being saved or forked', {
      hint: 'read the events of an answer to the end, or leave their loop; await the rest',
    })
  }

  /** Runs while nothing else may touch the cache. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    this.#checkIdle()
    this.#isBusy = true
    try {
      return await work()
    } finally {
      this.#isBusy = false
    }
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
    this.#checkIdle()
    this.#isBusy = true
    try {
      yield* this.#turn({ role: 'user', content }, signal)
    } finally {
      this.#isBusy = false
    }
  }

  async *#turn(
    asked: ChatMessage,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    const { enableThinking } = this.#options
    const messages = [...this.messages, asked]
    const thinking = enableThinking === undefined ? {} : { enableThinking }
    const ids = await continuedIds(this.#model, {
      before: { messages: this.messages, ...thinking },
      now: { messages, ...thinking },
      said: this.#said,
    })
    const answer = await this.#answer(ids)
    const pin = await this.#pinned(messages)
    const unread = this.#unread(ids, pin)
    const read = [...ids]
    for await (const event of this.#run({ ...unread, answer, read, signal })) {
      if (event.type === 'done') {
        this.#said = { read, pending: pendingOf(answer) }
        this.messages.push(asked, { role: 'assistant', content: answer.text })
      }
      yield event
    }
  }

  /** First tokens that stay; nothing where the cache options say it. */
  async #pinned(messages: readonly ChatMessage[]): Promise<number | undefined> {
    const { pinSystem, pin, enableThinking } = this.#options
    if (!pinSystem) return undefined
    const thinking = enableThinking === undefined ? {} : { enableThinking }
    return Math.max(await systemTokens(this.#model, { messages, ...thinking }), pin ?? 0)
  }

  async #checkPinned(file: string): Promise<void> {
    const wanted = await this.#pinned(this.messages)
    const { pinned } = this.#session.cache.seatAccess(0).state
    if (wanted === undefined || wanted === pinned) return
    refuseSession(file, {
      field: 'pin',
      name: 'number of pinned tokens',
      saved: `${pinned}`,
      wanted: `${wanted}`,
    })
  }

  /** The part of the conversation that the cache has not read; everything, after emptying it, when it does not continue. */
  #unread(ids: readonly number[], pin: number | undefined): Unread {
    const read = this.#said?.read
    // Until the turn is complete the cache holds something that is not in `messages`.
    this.#said = undefined
    const reused = read && reuseRead(this.#session, { seat: 0, read, ids })
    if (reused !== undefined) return { fresh: ids.slice(reused), reused, reread: undefined }
    const isFirst = !this.messages.some(({ role }) => role === 'assistant')
    this.#session.begin(0, this.#maxTokens, pin)
    return { fresh: ids, reused: 0, reread: read ? 'rewritten' : isFirst ? undefined : 'stopped' }
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

  async *#run(
    turn: Unread & { answer: Answer; read: number[]; signal: AbortSignal | undefined },
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    const { fresh, reused, reread, answer, read, signal } = turn
    const session = this.#session
    let [prefillMs, decodeMs] = [0, 0]
    for await (const { processed, total, result } of prefill(session, {
      seat: 0,
      ids: fresh,
      output: 'last',
      signal,
    })) {
      prefillMs += result.ms
      yield { type: 'prefill', processed, total, ...(reread && { reread }) }
      if (processed < total) continue
      yield answer.take(result.values)
    }
    session.endPrefill()
    const into = new Float32Array(session.model.spec.vocabSize)
    while (!answer.reason) {
      const id = answer.ids.at(-1)!
      const { ms } = await session.forward({ ids: [[id]], output: { kind: 'last' }, signal, into })
      decodeMs += ms
      read.push(id)
      yield answer.take(into)
    }
    const { reason, stop, ids, text } = answer
    const counts = { promptTokens: fresh.length, reusedTokens: reused, newTokens: ids.length }
    const usage = usageOf(session, { ...counts, prefillMs, decodeMs })
    const { meanLogProb } = answer
    yield {
      type: 'done',
      reason,
      ...(stop !== undefined && { stop }),
      ids,
      text,
      ...(meanLogProb !== undefined && { meanLogProb }),
      usage,
    }
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]()
  }
}

/** Ids of an answer that were chosen and not read; nothing to go on from where a stop string has cut its text. */
function pendingOf({ reason, stop, ids }: Answer): readonly number[] | undefined {
  if (stop !== undefined) return undefined
  return reason === 'length' ? ids.slice(-1) : []
}

/** @throws TRIMKV_SESSION_MISMATCH for another system message than the saved one */
function checkSystem(file: string, messages: readonly ChatMessage[], system: string | undefined): void {
  const saved = messages[0]?.role === 'system' ? messages[0].content : undefined
  if (system === undefined || system === saved) return
  refuseSession(file, {
    field: 'system',
    name: 'system message',
    saved: JSON.stringify(saved ?? null),
    wanted: JSON.stringify(system),
  })
}

/** The options that decide how a conversation is cached. */
function cacheOptionsOf(options: RestoreChatOptions): RestoreOptions {
  const { policy, budget, buffer, exact, kvDtype, chunk, pin, beyondLimit, positionOffset, maxTokens } =
    options
  const all = { policy, budget, buffer, exact, kvDtype, chunk, pin, beyondLimit, positionOffset, maxTokens }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
