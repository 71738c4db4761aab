import { type LanguageModelV3, NoSuchModelError, type ProviderV3 } from '@ai-sdk/provider'
import { languageModelOf } from './language-model.ts'
import { OwnedModel } from './owned-model.ts'
import { modelSettingsOf, type TrimkvSettings } from './settings.ts'

/** A model of a provider: where it is, and how it answers. */
export interface TrimkvModelOptions extends TrimkvSettings {
  /** A folder as Hugging Face writes it, or `org/name` of one that was downloaded before. */
  readonly source: string
  /** Retention gates made for it: a folder, or `org/name`. */
  readonly gates?: string
  /** Threads that compute. Default: all cores. */
  readonly threads?: number
}

/** The models of a provider. */
export interface TrimkvProviderOptions {
  /** By the id that calls name; no other id opens anything. */
  readonly models: Readonly<Record<string, TrimkvModelOptions>>
}

/**
 * A provider of the AI SDK. Disposing it stops the answers of its models and frees what it loaded: calls that are running, and
 * every later one, reject with TRIMKV_ABORTED.
 */
export interface TrimkvProvider extends ProviderV3, AsyncDisposable {
  /** Short for `languageModel`. */
  (modelId: string): LanguageModelV3
}

function openedOf(modelId: string, { source, gates, threads, ...settings }: TrimkvModelOptions) {
  const given = { ...(gates !== undefined && { gates }), ...(threads !== undefined && { threads }) }
  return { model: new OwnedModel(source, given), settings: modelSettingsOf(modelId, settings) }
}

/**
 * A provider of the AI SDK (specification v3) for models on this machine, each loaded when it is first called:
 * ```ts
 * await using trimkv = createTrimkv({ models: { small: { source: 'path/to/model', budget: 512 } } })
 * const { text } = await generateText({ model: trimkv('small'), prompt: 'Why is the sky blue?' })
 * ```
 * An id that is not among `models` is a `NoSuchModelError` of the AI SDK, and so is every kind of model but language models.
 * @throws TRIMKV_OPTION for a setting of a model that is not known, or of the wrong type
 */
export function createTrimkv({ models }: TrimkvProviderOptions): TrimkvProvider {
  const opened = new Map(Object.entries(models).map(([id, options]) => [id, openedOf(id, options)]))
  function languageModel(modelId: string): LanguageModelV3 {
    const entry = opened.get(modelId)
    if (!entry) throw new NoSuchModelError({ modelId, modelType: 'languageModel' })
    const { model, settings } = entry
    return languageModelOf({ modelId, settings, load: () => model.load() })
  }
  const none = (modelType: 'embeddingModel' | 'imageModel') => (modelId: string) => {
    throw new NoSuchModelError({ modelId, modelType })
  }
  return Object.assign((modelId: string) => languageModel(modelId), {
    specificationVersion: 'v3' as const,
    languageModel,
    embeddingModel: none('embeddingModel'),
    imageModel: none('imageModel'),
    async [Symbol.asyncDispose]() {
      await Promise.all([...opened.values()].map(({ model }) => model[Symbol.asyncDispose]()))
    },
  })
}
