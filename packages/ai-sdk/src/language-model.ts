import { randomUUID } from 'node:crypto'
import { basename } from 'node:path'
import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
} from '@ai-sdk/provider'
import type { DoneEvent, GenerateEvent, GenerateOptions, Model, Prompt } from '@trimkv/engine'
import { fail } from '@trimkv/tensor'
import type { LoadedModel } from 'trimkv'
import { finishReasonOf, metadataOf, usageOf } from './cache-metadata.ts'
import { type EngineCall, engineCall } from './call-options.ts'
import { modelSettingsOf, type TrimkvSettings } from './settings.ts'

/** A model that is loaded. */
export interface AnsweringModel {
  readonly model: Model
  readonly generate: (prompt: Prompt, options: GenerateOptions) => AsyncIterable<GenerateEvent>
}

/** What a language model of the AI SDK answers from. */
export interface ModelSource {
  readonly modelId: string
  readonly settings: TrimkvSettings
  /** The same model at each call. */
  readonly load: () => Promise<AnsweringModel>
}

/** The end of an answer, in a result and in a stream alike. */
const endOf = ({ reason, usage }: DoneEvent) => ({
  finishReason: finishReasonOf(reason),
  usage: usageOf(usage),
  providerMetadata: { trimkv: metadataOf(usage) },
})

const responseOf = (modelId: string) => ({ id: randomUUID(), timestamp: new Date(), modelId })

async function prepare(source: ModelSource, call: LanguageModelV3CallOptions) {
  call.abortSignal?.throwIfAborted()
  const model = await source.load()
  const prepared: EngineCall = await engineCall(model.model, source.settings, call)
  return { ...prepared, events: model.generate(prepared.prompt, prepared.options) }
}

/** The end of an answer, which is run until then. */
async function doneOf(events: AsyncIterable<GenerateEvent>): Promise<DoneEvent> {
  for await (const event of events) if (event.type === 'done') return event
  return fail('TRIMKV_INVARIANT', 'An answer ended without its last event')
}

interface AnswerParts {
  readonly events: AsyncIterable<GenerateEvent>
  readonly prepared: EngineCall
  readonly modelId: string
  readonly raw: boolean
}

/** The parts of a streamed answer. What fails after the stream began is a part of it, as the AI SDK wants. */
async function* partsOf(answer: AnswerParts): AsyncGenerator<LanguageModelV3StreamPart, void, undefined> {
  yield { type: 'stream-start', warnings: answer.prepared.warnings }
  yield { type: 'response-metadata', ...responseOf(answer.modelId) }
  const id = 'text'
  yield { type: 'text-start', id }
  try {
    for await (const event of answer.events) {
      if (answer.raw) yield { type: 'raw', rawValue: event }
      if (event.type === 'token' && event.text !== '') yield { type: 'text-delta', id, delta: event.text }
      if (event.type !== 'done') continue
      yield { type: 'text-end', id }
      yield { type: 'finish', ...endOf(event) }
    }
  } catch (error) {
    yield { type: 'error', error }
  }
}

/** A language model of the AI SDK that is loaded at its first call. */
export function languageModelOf(source: ModelSource): LanguageModelV3 {
  const { modelId } = source
  return {
    specificationVersion: 'v3',
    provider: 'trimkv',
    modelId,
    supportedUrls: {},
    async doGenerate(call): Promise<LanguageModelV3GenerateResult> {
      const { events, warnings } = await prepare(source, call)
      const done = await doneOf(events)
      return {
        content: done.text === '' ? [] : [{ type: 'text', text: done.text }],
        ...endOf(done),
        response: responseOf(modelId),
        warnings,
      }
    },
    async doStream(call) {
      const { events, ...prepared } = await prepare(source, call)
      const raw = call.includeRawChunks ?? false
      // Pulled: tokens are made as they are read, and leaving the stream frees the cache.
      return { stream: ReadableStream.from(partsOf({ events, prepared, modelId, raw })) }
    },
  }
}

/**
 * A loaded model as a language model of the AI SDK (specification v3: `ai` 6, and `ai` 7 takes it as well). Who loaded the
 * model disposes it; calls may run side by side, each with a cache of its own.
 * ```ts
 * using model = await load('path/to/model', { gates: 'path/to/gates' })
 * const { text } = await generateText({ model: languageModel(model, { budget: 512 }), prompt: 'Why is the sky blue?' })
 * ```
 * @param settings for every call; `providerOptions.trimkv` of a call wins
 * @throws TRIMKV_OPTION for a setting that is not known, or of the wrong type
 * @returns a model whose calls reject with `UnsupportedFunctionalityError` of the AI SDK for files and required tools, with
 *   a `TrimError` as `generate` of `@trimkv/engine`, and with the reason of `abortSignal` when that aborts
 */
export function languageModel(model: LoadedModel, settings: TrimkvSettings = {}): LanguageModelV3 {
  const modelId = model.model.name ?? basename(model.model.dir)
  const checked = modelSettingsOf(modelId, settings)
  return languageModelOf({ modelId, settings: checked, load: () => Promise.resolve(model) })
}
