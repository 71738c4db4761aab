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
    {
      name: 'released evaluation of TRIM-KV',
      options: {},
      cache: { buffer: 128, chunk: 0 },
      note: 'in some of its runs buffer 32',
    },
    { name: 'paper, Algorithm 1', options: {}, cache: { exact: true } },
    {
      name: 'benchmarks of the released DBTrimKV code',
      options: { lookahead: 2 },
      cache: { buffer: 128, chunk: 0 },
    },
  ],
  phases: ['decode', 'prefill-agnostic'],
  options: {
    recent: {
      type: 'int',
      default: 0,
      min: 0,
      doc: 'newest tokens that always stay: sliding_window_size of the released code',
    },
    ...decayOptions,
  },
  parts: ({ recent, score, lookahead }, { ageOffset }) => ({
    score: decay({ ageOffset, logKeyNorm: score === 'knorm_alpha', lookahead }),
    protect: { last: recent },
  }),
})
