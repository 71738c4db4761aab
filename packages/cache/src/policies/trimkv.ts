import { decayOptions } from '../decay-options.ts'
import { definePolicy, type Policy } from '../policy.ts'
import { decay } from '../score.ts'

/**
 * Learned retention: a gate gives every token a β per head when it is read, and the least of `age · log β` goes.
 * The newest token has age 0 in exact mode (paper), 2 in buffered mode and after a prompt (released code).
 */
export const trimkv: Policy = definePolicy({
  name: 'trimkv',
  source:
    'TRIM-KV (arXiv:2512.03324), Algorithm 1; released code, strategies alpha and knorm_alpha; lookahead of DBTrimKV (arXiv:2605.09649)',
  formula: 'age · log β; with lookahead a: log Σ_{s<a} β^(age + 1 + s)',
  presets: [
    { name: 'released evaluation of TRIM-KV', options: {}, note: 'buffered mode, buffer 128 or 32' },
    { name: 'paper, Algorithm 1', options: {}, note: 'exact mode' },
    { name: 'benchmarks of the released DBTrimKV code', options: { lookahead: 2 } },
  ],
  phases: ['decode', 'prefill-agnostic'],
  options: {
    ...decayOptions,
  },
  parts: ({ score, lookahead }, { ageOffset }) => ({
    score: decay({ ageOffset, logKeyNorm: score === 'knorm_alpha', lookahead }),
  }),
})
