import { fail } from '@trimkv/tensor'
import type { DecoderSession, ForwardResult } from './decoder-session.ts'

/** Prompt tokens per forward where nothing is said. */
export const defaultChunk = 512

/** A prompt to read into one seat. */
export interface PrefillRequest {
  readonly seat: number
  readonly ids: readonly number[]
  /** For the last chunk; others give nothing, unless it is 'all'. */
  readonly output: 'last' | 'all' | 'none'
  readonly signal?: AbortSignal | undefined
}

/** One chunk of a prompt that was read. */
export interface PrefillStep {
  /** Tokens read so far. */
  readonly processed: number
  readonly total: number
  readonly result: ForwardResult
}

function chunkLength({ cache, options }: DecoderSession, seat: number, total: number): number {
  if (!cache.needs.wholePrompt || cache.seen(seat) > 0)
    return options.chunk === 0 ? total : (options.chunk ?? defaultChunk)
  if (options.chunk && options.chunk < total) {
    fail(
      'TRIMKV_OPTION',
      `${options.policy.name} rates the whole prompt at once, and chunk is ${options.chunk}`,
      {
        why: [`the prompt has ${total} tokens`],
        hint: 'leave chunk out, or set it to 0',
        details: { option: 'chunk', value: options.chunk },
      },
    )
  }
  return total
}

/**
 * Reads a prompt into a seat, chunk by chunk. The seat must have begun.
 * @throws TRIMKV_OPTION when the policy rates the whole prompt and `chunk` cuts it
 */
export async function* prefill(
  session: DecoderSession,
  request: PrefillRequest,
): AsyncGenerator<PrefillStep> {
  const { seat, ids, output, signal } = request
  const total = ids.length
  const length = chunkLength(session, seat, total)
  for (let start = 0; start < total; start += length) {
    const end = Math.min(start + length, total)
    const kind = end === total || output === 'all' ? output : 'none'
    const result = await session.forward({
      seats: { first: seat, count: 1 },
      ids: [ids.slice(start, end)],
      whole: start === 0 && end === total,
      output: { kind },
      signal,
    })
    yield { processed: end, total, result }
  }
}
