import type { DecoderSpec } from '@trimkv/models'
import { fail } from '@trimkv/tensor'
import type { CacheOptions } from './cache-options.ts'

/** New tokens where nothing is said. */
export const defaultMaxNewTokens = 256

/** Tokens that are read of a sequence: the last new token is chosen and not read. */
const readTokens = (prompt: number, maxNew: number): number => prompt + maxNew - 1

/**
 * New tokens a sequence may get: those asked for, else 256 or what the model's limit leaves.
 * @throws TRIMKV_OPTION for anything but an integer ≥ 1; TRIMKV_POSITION_LIMIT when prompt and new tokens pass the limit
 * of the model, unless `beyondLimit`
 */
export function allowedNewTokens(
  spec: Pick<DecoderSpec, 'maxLength'>,
  sequence: { readonly promptTokens: number; readonly maxNewTokens?: number | undefined },
  { beyondLimit = false, positionOffset = 0 }: Pick<CacheOptions, 'beyondLimit' | 'positionOffset'>,
): number {
  const { promptTokens, maxNewTokens } = sequence
  if (maxNewTokens !== undefined && !(Number.isSafeInteger(maxNewTokens) && maxNewTokens >= 1)) {
    fail('TRIMKV_OPTION', `maxNewTokens must be an integer ≥ 1, got ${maxNewTokens}`)
  }
  const left = beyondLimit ? Infinity : spec.maxLength - positionOffset - promptTokens + 1
  const wanted = maxNewTokens ?? Math.max(1, Math.min(defaultMaxNewTokens, left))
  if (wanted <= left) return wanted
  return fail('TRIMKV_POSITION_LIMIT', 'The sequence would go past the longest one the model was made for', {
    why: [
      `it would read ${readTokens(promptTokens, wanted) + positionOffset} positions, the model knows ${spec.maxLength}`,
      'positions count every token read, evicted ones included',
    ],
    hint:
      left >= 1
        ? `ask for at most ${left} new tokens, or allow it with beyondLimit`
        : 'shorten the prompt, or allow it with beyondLimit',
    details: { promptTokens, maxNewTokens: wanted, positionOffset, limit: spec.maxLength },
  })
}
