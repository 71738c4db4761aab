import { fail } from '@trimkv/tensor'

/**
 * How the next token is chosen. Without a temperature: the largest logit, ties to the smallest id.
 *
 * Order of the filters (that of HF transformers): repetition penalty, temperature, top-k, top-p, min-p. Each works on
 * what the one before left, with probabilities renormalised.
 */
export interface SamplingOptions {
  /** Divides the logits; 0 (default) takes the largest. */
  readonly temperature?: number
  /** Keep the k most likely tokens; integer ≥ 1. Default: all. */
  readonly topK?: number
  /** Keep the fewest most likely tokens whose probabilities reach p; 0 < p ≤ 1. Default: all. */
  readonly topP?: number
  /** Keep tokens at least `minP` times as likely as the most likely one; 0 … 1. Default: all. */
  readonly minP?: number
  /**
   * Tokens of the prompt and the answer so far: positive logits are divided by it, negative ones multiplied; > 0.
   * Default 1. Works with temperature 0, too.
   */
  readonly repetitionPenalty?: number
  /** Integer 0 … 2³²−1. Default: 0, so a run repeats itself unless another seed is asked for. */
  readonly seed?: number
}

interface Rule {
  readonly ok: (value: number) => boolean
  readonly expected: string
}

const rules: Readonly<Record<keyof SamplingOptions, Rule>> = {
  temperature: { ok: (v) => v >= 0 && Number.isFinite(v), expected: 'a number ≥ 0' },
  topK: { ok: (v) => Number.isInteger(v) && v >= 1, expected: 'an integer ≥ 1' },
  topP: { ok: (v) => v > 0 && v <= 1, expected: 'a number above 0 and at most 1' },
  minP: { ok: (v) => v >= 0 && v <= 1, expected: 'a number from 0 to 1' },
  repetitionPenalty: { ok: (v) => v > 0 && Number.isFinite(v), expected: 'a number above 0' },
  seed: {
    ok: (v) => Number.isInteger(v) && v >= 0 && v < 2 ** 32,
    expected: 'an integer from 0 to 4294967295',
  },
}

/**
 * Fills in the defaults.
 * @throws TRIMKV_OPTION for a value out of range, and for a filter that would have no effect at temperature 0
 */
export function resolveSampling(options: SamplingOptions): Required<SamplingOptions> {
  for (const [name, { ok, expected }] of Object.entries(rules)) {
    const value = options[name as keyof SamplingOptions]
    if (value !== undefined && !ok(value)) {
      fail('TRIMKV_OPTION', `${name} must be ${expected}, got ${value}`, { details: { option: name, value } })
    }
  }
  const { temperature = 0, topK = Infinity, topP = 1, minP = 0, repetitionPenalty = 1, seed = 0 } = options
  const idle = (['topK', 'topP', 'minP'] as const).find((name) => options[name] !== undefined)
  if (temperature === 0 && idle) {
    fail('TRIMKV_OPTION', `${idle} has no effect at temperature 0`, {
      why: ['temperature 0 always takes the most likely token'],
      hint: 'set a temperature, for example 0.7',
      details: { option: idle },
    })
  }
  return { temperature, topK, topP, minP, repetitionPenalty, seed }
}
