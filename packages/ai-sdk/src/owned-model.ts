import type { GenerateEvent, GenerateOptions, LoadModelOptions, Prompt } from '@trimkv/engine'
import { TrimError } from '@trimkv/tensor'
import { type LoadedModel, load } from 'trimkv'
import type { AnsweringModel } from './language-model.ts'

/** A model that is loaded when it is first asked for. Disposing it stops its answers and frees it, for good. */
export class OwnedModel implements AsyncDisposable {
  readonly #source: string
  readonly #options: LoadModelOptions
  readonly #disposal = new AbortController()
  readonly #running = new Map<AbortController, AsyncIterator<GenerateEvent>>()
  #loaded: Promise<LoadedModel> | undefined

  constructor(source: string, options: Pick<LoadModelOptions, 'gates' | 'threads'>) {
    this.#source = source
    this.#options = { ...options, signal: this.#disposal.signal }
  }

  /**
   * The same model at each call; what failed is tried again.
   * @throws TRIMKV_ABORTED when it was disposed; as `load` of `trimkv`
   */
  async load(): Promise<AnsweringModel> {
    this.#disposal.signal.throwIfAborted()
    this.#loaded ??= load(this.#source, this.#options).catch((error: unknown) => {
      this.#loaded = undefined
      throw error
    })
    const loaded = await this.#loaded
    return { model: loaded.model, generate: (...asked) => this.#answer(loaded, ...asked) }
  }

  async *#answer(
    loaded: LoadedModel,
    prompt: Prompt,
    options: GenerateOptions,
  ): AsyncGenerator<GenerateEvent, void, undefined> {
    this.#disposal.signal.throwIfAborted()
    const stop = new AbortController()
    // Not the signal of the disposal itself: it would remember every answer for as long as the model lives.
    const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal
    const events = loaded.generate(prompt, { ...options, signal })
    this.#running.set(stop, events[Symbol.asyncIterator]())
    try {
      for await (const event of events) {
        yield event
        if (event.type === 'done') return
      }
      this.#disposal.signal.throwIfAborted()
    } finally {
      this.#running.delete(stop)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const reason = new TrimError('TRIMKV_ABORTED', {
      what: 'The model was disposed with its provider',
      hint: 'keep the provider for as long as its models are called',
    })
    this.#disposal.abort(reason)
    await Promise.all(
      [...this.#running].map(async ([stop, events]) => {
        stop.abort(reason)
        // One that nobody reads on would hold its cache for ever.
        await events.return?.()
      }),
    )
    const loaded = this.#loaded
    this.#loaded = undefined
    const model = await loaded?.catch(() => undefined)
    model?.[Symbol.dispose]()
  }
}
