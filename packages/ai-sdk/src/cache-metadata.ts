import type {
  JSONObject,
  LanguageModelV3FinishReason,
  LanguageModelV3Usage,
  SharedV3ProviderMetadata,
} from '@ai-sdk/provider'
import type { FinishReason, Usage } from '@trimkv/engine'

/**
 * The report on the cache after an answer, as it stands in `providerMetadata.trimkv`: policy and options, budget, times, and
 * a meter with entries, bytes and evictions. It is JSON: fields that are undefined are left out.
 */
export type CacheMetadata = Usage

/**
 * The report in the metadata of an answer of the AI SDK.
 * @returns undefined when another provider answered
 */
export const cacheMetadata = (metadata: SharedV3ProviderMetadata | undefined): CacheMetadata | undefined =>
  metadata?.trimkv as CacheMetadata | undefined

/** A report as plain JSON. */
export const metadataOf = (usage: Usage): JSONObject => JSON.parse(JSON.stringify(usage)) as JSONObject

/** Tokens as the AI SDK counts them. Nothing is read from an earlier call: a cache that evicts cannot share a prefix. */
export function usageOf(usage: Usage): LanguageModelV3Usage {
  const { promptTokens, newTokens } = usage
  return {
    inputTokens: { total: promptTokens, noCache: promptTokens, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: newTokens, text: undefined, reasoning: undefined },
    raw: metadataOf(usage),
  }
}

/** Why an answer ended, as the AI SDK names it; `raw` tells an end token from a stop sequence. */
export const finishReasonOf = (reason: FinishReason): LanguageModelV3FinishReason => ({
  unified: reason === 'length' ? 'length' : 'stop',
  raw: reason,
})
