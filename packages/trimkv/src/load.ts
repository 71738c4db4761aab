import {
  type BestOf,
  bestOf,
  type ChatOptions,
  ChatSession,
  type CompareOptions,
  type Comparison,
  compare,
  type GenerateOptions,
  type Generation,
  generate,
  generateBatch,
  type LoadModelOptions,
  loadModel,
  loadPrefix,
  type Model,
  type Prefix,
  type PrefixOptions,
  type Prompt,
  type RestoreChatOptions,
  type RestoreOptions,
  readPrefix,
  type SamplesOptions,
  type ScoreOptions,
  score,
  type TextScore,
  type Trace,
  type TraceOptions,
  trace,
} from '@trimkv/engine'
import { modelFolder } from './command-line/hub-cache.ts'

/** A model with everything that can be done with it. */
export interface LoadedModel extends Disposable {
  readonly model: Model
  /** Answers one prompt, token by token. @see generate of `@trimkv/engine` */
  generate(prompt: Prompt, options?: GenerateOptions): Generation
  /** Answers several prompts side by side. */
  generateBatch(prompts: readonly Prompt[], options?: GenerateOptions): ReturnType<typeof generateBatch>
  /** The most likely of several answers; the prompt is read once. */
  bestOf(prompt: Prompt, options: SamplesOptions): Promise<BestOf>
  /** The beginning of prompts, read once, for option `prefix`; dispose it to free its cache. */
  prefix(prompt: Prompt, options?: PrefixOptions): Promise<Prefix>
  /** A prefix that was saved. */
  loadPrefix(path: string, options?: RestoreOptions): Promise<Prefix>
  /** A conversation in one cache; dispose it to free the cache. */
  chat(options?: ChatOptions): ChatSession
  /** A conversation that was saved. */
  restoreChat(path: string, options?: RestoreChatOptions): Promise<ChatSession>
  /** Log-probabilities and perplexity of a text. */
  score(text: Prompt, options?: ScoreOptions): Promise<TextScore>
  /** The same prompt under several policies. */
  compare(prompt: Prompt, options: CompareOptions): AsyncGenerator<Comparison>
  /** Every step of a run, with what was kept after it. */
  trace(ids: readonly number[], options: TraceOptions): Promise<Trace>
}

/**
 * Loads a model, the short way:
 * ```ts
 * using model = await load('path/to/model', { gates: 'path/to/gates' })
 * for await (const event of model.generate('Once upon a time', { policy: 'trimkv', budget: 512 }))
 *   if (event.type === 'token') process.stdout.write(event.text)
 * ```
 * @param source a folder as Hugging Face writes it, or `org/name[@revision][:file.gguf]` of one that was downloaded before, as `downloadModel` of `@trimkv/hub` does
 * @throws as `loadModel` of `@trimkv/engine`
 */
export async function load(source: string, options: LoadModelOptions = {}): Promise<LoadedModel> {
  const folder = (name: string): Promise<string> => modelFolder(name, process.env)
  const gates = options.gates === undefined ? {} : { gates: await folder(options.gates) }
  const model = await loadModel(await folder(source), { ...options, ...gates })
  return {
    model,
    generate: (prompt, given) => generate(model, prompt, given),
    generateBatch: (prompts, given) => generateBatch(model, prompts, given),
    bestOf: (prompt, given) => bestOf(model, prompt, given),
    prefix: (prompt, given) => readPrefix(model, prompt, given),
    loadPrefix: (path, given) => loadPrefix(model, path, given),
    restoreChat: (path, given) => ChatSession.restore(model, path, given),
    chat: (given) => new ChatSession(model, given),
    score: (text, given) => score(model, text, given),
    compare: (prompt, given) => compare(model, prompt, given),
    trace: (ids, given) => trace(model, ids, given),
    [Symbol.dispose]: () => model[Symbol.dispose](),
  }
}
