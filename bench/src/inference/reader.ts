import {
  type CacheOptions,
  createSampler,
  createSession,
  type DecoderSession,
  type Model,
  prefill,
  type Sampler,
} from '@trimkv/engine'

const fillChunk = 512

/** A sequence in an engine: what a user of either waits for. */
export interface Reader extends AsyncDisposable {
  /** Reads ids and chooses the token after them. */
  read(ids: readonly number[]): Promise<void>
  /** Reads the token chosen last and chooses the next, so many times. */
  decode(tokens: number): Promise<void>
  /** Forgets everything read. */
  clear(): Promise<void>
}

/** Sequences side by side in a session of this project; all of them read the same. */
export class SessionReader implements Reader {
  readonly session: DecoderSession
  readonly #maxTokens: number
  readonly #samplers: Sampler[]
  readonly #logits: Float32Array
  #last: number[] = []

  constructor(model: Model, options: CacheOptions & { readonly batch?: number; readonly maxTokens: number }) {
    const { batch = 1, maxTokens, ...cache } = options
    this.#maxTokens = maxTokens
    this.#samplers = Array.from({ length: batch }, () => createSampler({}))
    this.#logits = new Float32Array(batch * model.spec.vocabSize)
    this.session = createSession(model, { kvDtype: 'bf16', ...cache }, { batch, maxTokens })
    this.#begin()
  }

  #begin(): void {
    for (let seat = 0; seat < this.session.cache.batch; seat++) this.session.begin(seat, this.#maxTokens)
  }

  async read(ids: readonly number[]): Promise<void> {
    for (let seat = 0; seat < this.session.cache.batch; seat++) {
      for await (const { result } of prefill(this.session, { seat, ids, output: 'last' }))
        if (result.values.length > 0) this.#last[seat] = this.#samplers[seat]!.next(result.values)
    }
  }

  /** Reads ids in chunks also where a prompt would be read token by token; they must fit without an eviction. */
  async fill(ids: readonly number[]): Promise<void> {
    const { cache } = this.session
    for (let seat = 0; seat < cache.batch; seat++) {
      for (let at = 0; at < ids.length; at += fillChunk) {
        const chunk = ids.slice(at, at + fillChunk)
        await this.session.forward({
          ids: [chunk],
          seats: { first: seat, count: 1 },
          output: { kind: 'none' },
        })
      }
      this.#last[seat] = ids.at(-1)!
    }
    this.session.endPrefill()
  }

  async decode(tokens: number): Promise<void> {
    for (let i = 0; i < tokens; i++) {
      const ids = this.#last.map((id) => [id])
      const into = this.#logits
      await this.session.forward({ ids, output: { kind: 'last' }, into })
      const vocab = into.length / ids.length
      this.#last = this.#samplers.map((sampler, row) =>
        sampler.next(into.subarray(row * vocab, (row + 1) * vocab)),
      )
    }
  }

  async clear(): Promise<void> {
    this.#begin()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session[Symbol.dispose]()
  }
}
