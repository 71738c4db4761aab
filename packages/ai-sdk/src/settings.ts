import type { SharedV3ProviderOptions } from '@ai-sdk/provider'
import type { CacheOptions, SamplingOptions } from '@trimkv/engine'
import { fail } from '@trimkv/tensor'
import { z } from 'zod'

/**
 * How a model answers, beyond the settings that the AI SDK knows: given with the model, and for one call as
 * `providerOptions.trimkv`, which wins. In a call a policy is a name, such as `snapkv:window=8`.
 */
export interface TrimkvSettings
  extends Pick<CacheOptions, 'policy' | 'budget' | 'buffer' | 'exact' | 'kvDtype' | 'chunk' | 'beyondLimit'>,
    Pick<SamplingOptions, 'minP' | 'repetitionPenalty'> {
  /** For models that can think before they answer; absent leaves it to the chat template. */
  readonly enableThinking?: boolean
  /** Give the text of the one user message as it is, without a chat template: for models that have none. */
  readonly rawPrompt?: boolean
}

/** Types only: what a value may be is checked where it is used, in the same words for every caller. */
const callSettings = z
  .strictObject({
    policy: z.string(),
    budget: z.union([z.number(), z.string()]),
    buffer: z.number(),
    exact: z.boolean(),
    kvDtype: z.string(),
    chunk: z.number(),
    beyondLimit: z.boolean(),
    minP: z.number(),
    repetitionPenalty: z.number(),
    enableThinking: z.boolean(),
    rawPrompt: z.boolean(),
  })
  .partial()

const modelSettings = callSettings.extend({ policy: z.union([z.string(), z.object()]).optional() })

/** @throws TRIMKV_OPTION for a name that is not known, or a value of the wrong type */
function checked(schema: z.ZodType<object>, name: string, given: object): TrimkvSettings {
  const set = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  const parsed = schema.safeParse(set)
  if (parsed.success) return set
  return fail('TRIMKV_OPTION', `${name} cannot be used`, {
    why: parsed.error.issues.map(({ path, message }) => [...path.map(String), message].join(': ')),
    hint: `there are ${Object.keys(callSettings.shape).join(', ')}`,
    details: { given },
  })
}

/**
 * The settings that a model is made with.
 * @param name of the model, for messages
 * @throws TRIMKV_OPTION for a name that is not known, or a value of the wrong type
 */
export const modelSettingsOf = (name: string, given: object): TrimkvSettings =>
  checked(modelSettings, `a setting of ${name}`, given)

/**
 * The settings of a model with those of one call over them.
 * @throws TRIMKV_OPTION for a name that is not known, or a value of the wrong type
 */
export const settingsOf = (
  settings: TrimkvSettings,
  providerOptions: SharedV3ProviderOptions | undefined,
): TrimkvSettings => ({
  ...settings,
  ...checked(callSettings, 'providerOptions.trimkv', providerOptions?.trimkv ?? {}),
})
