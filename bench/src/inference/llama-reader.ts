import { getLlama, type LlamaContext, LlamaLogLevel, type LlamaModel, type Token } from 'node-llama-cpp'
import type { Reader } from './reader.ts'

/** A model in llama.cpp on the CPU. */
export interface LlamaCpp extends AsyncDisposable {
  /** What it computes with: the features its CPU backend was built for and found. */
  readonly system: string
  reader(options: { readonly flashAttention: boolean; readonly tokens: number }): Promise<LlamaReader>
}

/** A sequence in llama.cpp, with its default f16 cache. */
export class LlamaReader implements Reader {
  readonly #context: LlamaContext
  readonly #sequence
  #tokens: AsyncGenerator<Token, void, undefined> | undefined
  #last = 0

  constructor(context: LlamaContext) {
    this.#context = context
    this.#sequence = context.getSequence()
  }

  async read(ids: readonly number[]): Promise<void> {
    await this.#tokens?.return()
    this.#tokens = this.#sequence.evaluate(ids as Token[], { temperature: 0, yieldEogToken: true })
    const first = await this.#tokens.next()
    // A token that ends texts is not read by itself: random weights choose it as any other.
    this.#last = first.done ? ids.at(-1)! : first.value
  }

  async decode(tokens: number): Promise<void> {
    for (let i = 0; i < tokens; i++) {
      const next = await this.#tokens!.next()
      if (next.done) await this.read([this.#last])
      else this.#last = next.value
    }
  }

  /** Reads ids without a result, to be followed by `read`. */
  async fill(ids: readonly number[]): Promise<void> {
    await this.#tokens?.return()
    this.#tokens = undefined
    await this.#sequence.evaluateWithoutGeneratingNewTokens(ids as Token[])
  }

  /** Writes the cache of the sequence to a file. */
  async save(path: string): Promise<void> {
    await this.#sequence.saveStateToFile(path)
  }

  /** Takes the cache from a file that the same kind of sequence of the same model wrote. */
  async load(path: string): Promise<void> {
    await this.clear()
    await this.#sequence.loadStateFromFile(path, { acceptRisk: true })
  }

  async clear(): Promise<void> {
    await this.#tokens?.return()
    this.#tokens = undefined
    await this.#sequence.clearHistory()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tokens?.return()
    await this.#context.dispose()
  }
}

/** Loads a GGUF file; nothing is downloaded or built. */
export async function openLlamaCpp(
  path: string,
  { threads }: { readonly threads: number },
): Promise<LlamaCpp> {
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    logLevel: LlamaLogLevel.error,
    progressLogs: false,
    maxThreads: threads,
  })
  const model: LlamaModel = await llama.loadModel({ modelPath: path, gpuLayers: 0 })
  return {
    system: llama.systemInfo,
    async reader({ flashAttention, tokens }) {
      return new LlamaReader(
        await model.createContext({
          contextSize: tokens,
          flashAttention,
          threads: { ideal: threads, min: threads },
        }),
      )
    },
    async [Symbol.asyncDispose]() {
      await model.dispose()
      await llama.dispose()
    },
  }
}
