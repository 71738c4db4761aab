import { fail } from '@trimkv/tensor'
import { createSampler } from '../sampling/sampler.ts'
import type { DecoderSession, ForwardResult } from '../session/decoder-session.ts'
import { prefill } from '../session/prefill.ts'

/** A prompt, and how many steps to take after it. */
export interface StepsRequest {
  /** The prompt. */
  readonly ids: readonly number[]
  /** Outputs wanted: the first comes from the prompt, each other from one more forward. */
  readonly steps: number
  /** Ids to read instead of the greedy ones: at least steps − 1. */
  readonly force?: readonly number[] | undefined
  /** Logits of every prompt token, not of the last one only. */
  readonly promptLogits?: boolean
  readonly signal?: AbortSignal | undefined
}

/** One forward of a run with a fixed number of outputs. */
export interface GreedyStep {
  /** Index of the first token it read. */
  readonly start: number
  /** Tokens it read. */
  readonly count: number
  readonly result: ForwardResult
  /** The output of the last token read; nothing for a chunk of a prompt that goes on. */
  readonly output?: {
    /** [vocab] */
    readonly logits: Float32Array
    /** The most likely token. */
    readonly id: number
  }
}

/**
 * Reads a prompt, then one token at a time: the most likely one, or a given one. End tokens mean nothing here.
 * @throws TRIMKV_OPTION when too few ids are forced
 */
export async function* greedySteps(
  session: DecoderSession,
  request: StepsRequest,
): AsyncGenerator<GreedyStep> {
  const { ids, steps, force, promptLogits = false, signal } = request
  if (force && force.length < steps - 1) {
    fail(
      'TRIMKV_OPTION',
      `${steps} steps read ${steps - 1} tokens after the prompt, and ${force.length} are forced`,
      {
        details: { steps, forced: force.length },
      },
    )
  }
  const sampler = createSampler({})
  const outputOf = (logits: Float32Array) => ({ logits, id: sampler.next(logits) })
  const { vocabSize } = session.model.spec
  session.begin(0, session.options.maxTokens)
  let id = 0
  let start = 0
  for await (const { processed, total, result } of prefill(session, {
    seat: 0,
    ids,
    output: promptLogits ? 'all' : 'last',
    signal,
  })) {
    const output = processed === total ? outputOf(result.values.subarray(-vocabSize)) : undefined
    yield { start, count: processed - start, result, ...(output && { output }) }
    start = processed
    id = output?.id ?? id
  }
  session.endPrefill()
  for (let step = 1; step < steps; step++) {
    const fed = force?.[step - 1] ?? id
    const result = await session.forward({ ids: [[fed]], output: { kind: 'last' }, signal })
    const output = outputOf(result.values)
    id = output.id
    yield { start: start++, count: 1, result, output }
  }
}
