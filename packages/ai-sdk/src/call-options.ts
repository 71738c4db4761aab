import {
  type LanguageModelV3CallOptions,
  type SharedV3Warning,
  UnsupportedFunctionalityError,
} from '@ai-sdk/provider'
import type { GenerateOptions, Model, Prompt } from '@trimkv/engine'
import { promptOf } from './prompt.ts'
import { settingsOf, type TrimkvSettings } from './settings.ts'

/** A call as the engine takes it, and what of it could not be done. */
export interface EngineCall {
  readonly prompt: Prompt
  readonly options: GenerateOptions
  readonly warnings: SharedV3Warning[]
}

const unsupported = (feature: string, details: string): SharedV3Warning => ({
  type: 'unsupported',
  feature,
  details,
})

/** One warning for each setting that has no effect. @throws UnsupportedFunctionalityError for a promise nobody can keep */
function warningsOf(call: LanguageModelV3CallOptions, { minP }: TrimkvSettings): SharedV3Warning[] {
  const { tools = [], toolChoice, responseFormat, presencePenalty, frequencyPenalty } = call
  if (toolChoice?.type === 'required' || toolChoice?.type === 'tool') {
    throw new UnsupportedFunctionalityError({ functionality: `toolChoice ${toolChoice.type}` })
  }
  const warnings: SharedV3Warning[] = []
  if (tools.length > 0) warnings.push(unsupported('tools', 'the model is not told of them and calls none'))
  if (responseFormat?.type === 'json') {
    warnings.push(unsupported('responseFormat', 'nothing makes the answer JSON but what the prompt says'))
  }
  for (const [feature, value] of Object.entries({ presencePenalty, frequencyPenalty })) {
    if (value)
      warnings.push(unsupported(feature, 'providerOptions.trimkv.repetitionPenalty does what is closest'))
  }
  if (!call.temperature) {
    const { topK, topP } = call
    for (const [feature, value] of Object.entries({ topK, topP, minP })) {
      if (value === undefined) continue
      warnings.push(unsupported(feature, 'without a temperature the most likely token is taken'))
    }
  }
  return warnings
}

/** Sampling as the AI SDK names it; what has no effect without a temperature is left out, and warned of. */
function samplingOf(call: LanguageModelV3CallOptions, { minP }: TrimkvSettings): GenerateOptions {
  const { temperature, topK, topP, seed } = call
  return {
    ...(temperature !== undefined && { temperature }),
    ...(temperature && topK !== undefined && { topK }),
    ...(temperature && topP !== undefined && { topP }),
    ...(temperature && minP !== undefined && { minP }),
    ...(seed !== undefined && { seed }),
  }
}

/**
 * Turns a call of the AI SDK into one of the engine.
 * @throws TRIMKV_OPTION, TRIMKV_TEMPLATE, UnsupportedFunctionalityError
 */
export async function engineCall(
  model: Model,
  settings: TrimkvSettings,
  call: LanguageModelV3CallOptions,
): Promise<EngineCall> {
  const chosen = settingsOf(settings, call.providerOptions)
  const { enableThinking: _, rawPrompt: __, minP: ___, ...cacheAndPenalty } = chosen
  const { maxOutputTokens, stopSequences, abortSignal } = call
  return {
    warnings: [
      ...warningsOf(call, chosen),
      ...model.warnings.map((message): SharedV3Warning => ({ type: 'other', message })),
    ],
    prompt: await promptOf(model, call.prompt, chosen),
    options: {
      ...cacheAndPenalty,
      ...samplingOf(call, chosen),
      ...(maxOutputTokens !== undefined && { maxNewTokens: maxOutputTokens }),
      ...(stopSequences !== undefined && { stop: stopSequences }),
      ...(abortSignal !== undefined && { signal: abortSignal }),
    },
  }
}
