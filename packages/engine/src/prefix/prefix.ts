import { fail } from '@trimkv/tensor'
import type { Prompt } from '../generate/prompt.ts'
import type { Model } from '../load-model.ts'
import { type CacheOptions, resolveCacheOptions } from '../session/cache-options.ts'
import { forkSession } from '../session/copy-sequence.ts'
import { createSession } from '../session/create-session.ts'
import type { DecoderSession } from '../session/decoder-session.ts'
import { prefill } from '../session/prefill.ts'
import { commonLength, reuseRead } from '../session/reuse-read.ts'
import { type RestoreOptions, restoreSession, saveSession } from '../session/session-file.ts'
import { type CacheReport, cacheReport } from '../session/session-report.ts'
import { checkSettings, optionsToRestore, sessionSettings } from '../session/session-settings.ts'
import { stableIds } from './stable-ids.ts'

export interface PrefixOptions extends CacheOptions {
  /**
   * Tokens of the longest sequence that will go on from it; matters for models whose rotary factors depend on the length.
   * Default: the model's limit.
   */
  readonly maxTokens?: number
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (tokens: { readonly processed: number; readonly total: number }) => void
}

/**
 * The beginning of prompts, read once: answers go on from a copy of it. It holds its own cache until it is disposed.
 * ```ts
 * using document = await readPrefix(model, text, { policy: 'trimkv', budget: 1024 })
 * const answer = await generate(model, `${text}\n\nWho wrote it?`, { prefix: document }).text()
 * ```
 */
export class Prefix implements Disposable {
  readonly model: Model
  /** Tokens read. */
  readonly ids: readonly number[]
  /** Where it comes from, for messages. */
  readonly #name: string
  readonly #session: DecoderSession

  /** @internal Made by `readPrefix` and `loadPrefix`. */
  constructor(session: DecoderSession, ids: readonly number[], name: string) {
    this.model = session.model
    this.ids = ids
    this.#session = session
    this.#name = name
  }

  /** How it is cached. */
  get report(): CacheReport {
    return cacheReport(this.#session)
  }

  /**
   * A session of copies that go on from here.
   * @throws TRIMKV_SESSION_MISMATCH when an option is given and differs, TRIMKV_OPTION for another model
   */
  async fork(
    options: CacheOptions,
    size: { readonly batch: number; readonly maxTokens: number; readonly signal?: AbortSignal | undefined },
  ): Promise<DecoderSession> {
    this.#check(options)
    // A prompt may be shorter than the prefix that its copy is cut back from.
    const maxTokens = Math.max(size.maxTokens, this.ids.length)
    return forkSession({ session: this.#session, seat: 0 }, { ...size, maxTokens })
  }

  #check(given: CacheOptions): void {
    const { model, options, cache } = this.#session
    const keepsAll = cache.policy.eviction === undefined
    const saved = sessionSettings(model.spec, options, keepsAll)
    const wanted = resolveCacheOptions(optionsToRestore(saved, { policy: options.policy, ...given }), {
      spec: model.spec,
      hasGates: model.decoder.gates !== undefined,
      contextTokens: options.maxTokens,
      batch: 1,
      pageBytes: model.device.pageBytes,
    })
    const policyOptions = given.policy === undefined ? options.policyOptions : wanted.policyOptions
    checkSettings(this.#name, saved, sessionSettings(model.spec, { ...wanted, policyOptions }, keepsAll))
  }

  /**
   * Fits a copy to a prompt.
   * @returns how many tokens of the prompt need not be read: all of the prefix, or what both begin with where nothing was evicted
   * @throws TRIMKV_PREFIX_MISMATCH when the prompt does not begin with these tokens and the cache cannot be cut back
   */
  fit(session: DecoderSession, seat: number, ids: readonly number[]): number {
    const read = this.ids
    const reused = reuseRead(session, { seat, read, ids })
    if (reused !== undefined) return reused
    const shared = commonLength(read, ids)
    return fail(
      'TRIMKV_PREFIX_MISMATCH',
      `The prompt does not begin with the ${read.length} tokens of ${this.#name}`,
      {
        why: [sharedText(shared, ids.length), ...(shared > 0 ? [whyWhole(session, seat)] : [])],
        hint: 'begin the prompt with the text that was read, exactly, and go on from there; or read the text anew',
        details: { shared, prefixTokens: read.length, promptTokens: ids.length },
      },
    )
  }

  /**
   * Writes it to a file, for {@link loadPrefix}.
   * @throws TRIMKV_DISK, TRIMKV_IO; `signal.reason` when aborted. What was there before stays
   */
  async save(path: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    await saveSession(this.#session, path, { ids: [this.ids], signal: options.signal })
  }

  [Symbol.dispose](): void {
    this.#session[Symbol.dispose]()
  }
}

function sharedText(shared: number, promptTokens: number): string {
  if (shared === promptTokens) return `the prompt has only ${promptTokens} tokens, all of them in the prefix`
  if (shared === 0) return 'their first tokens differ'
  return `both begin with the same ${shared === 1 ? 'token' : `${shared} tokens`}, and differ then`
}

/** Why no part of a cache can be used by itself. */
function whyWhole({ cache }: DecoderSession, seat: number): string {
  const dropped = cache.seen(seat) - cache.stored(seat)
  return dropped > 0
    ? `a cache that has evicted tokens (${dropped} per head) cannot be cut back to fewer`
    : `${cache.policy.name} rates tokens by those after them, so its cache cannot be cut back to fewer`
}

/**
 * Reads the beginning of prompts. The last tokens of a text, which may join with what follows, are left to the prompt.
 * @throws TRIMKV_OPTION when nothing is left to read; as `generate` otherwise
 */
export async function readPrefix(model: Model, prompt: Prompt, options: PrefixOptions = {}): Promise<Prefix> {
  const { maxTokens = model.spec.maxLength, signal, onProgress, ...cacheOptions } = options
  signal?.throwIfAborted()
  const ids = await stableIds(model, prompt, signal)
  if (ids.length === 0)
    fail('TRIMKV_OPTION', 'The prefix holds no token that every prompt with it begins with')
  if (ids.length > maxTokens && !cacheOptions.beyondLimit) {
    fail('TRIMKV_POSITION_LIMIT', `The prefix has ${ids.length} tokens and may have ${maxTokens}`, {
      hint: 'shorten it, or allow it with beyondLimit',
      details: { tokens: ids.length, limit: maxTokens },
    })
  }
  const longest = Math.max(maxTokens, ids.length)
  const session = createSession(model, cacheOptions, { batch: 1, maxTokens: longest, grows: true })
  try {
    session.begin(0, longest)
    for await (const { processed, total } of prefill(session, { seat: 0, ids, output: 'none', signal }))
      onProgress?.({ processed, total })
    session.endPrefill()
    return new Prefix(session, ids, 'the prefix')
  } catch (error) {
    session[Symbol.dispose]()
    throw error
  }
}

/**
 * Reads a prefix, or a conversation, from the file it was saved to.
 * @throws as `restoreSession`; TRIMKV_FORMAT for a file of several sequences
 */
export async function loadPrefix(model: Model, path: string, options: RestoreOptions = {}): Promise<Prefix> {
  const { session, ids } = await restoreSession(model, path, options)
  if (ids.length === 1) return new Prefix(session, ids[0]!, path)
  session[Symbol.dispose]()
  return fail('TRIMKV_FORMAT', `${path} holds ${ids.length} sequences`, {
    hint: 'a prefix has one',
    details: { file: path },
  })
}
