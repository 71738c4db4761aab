import { definePolicy, type Policy } from '../policy.ts'
import { decay } from '../score.ts'

/**
 * Learned retention: a gate gives every token a β per head when it is read, and the least of `age · log β` goes.
 * The newest token has age 0 in exact mode (paper), 2 in buffered mode and after a prompt (released code).
 */
export const trimkv: Policy = definePolicy({
  name: 'trimkv',
  source: 'TRIM-KV (arXiv:2512.03324), Algorithm 1; released code, strategies alpha and knorm_alpha',
  phases: ['decode', 'prefill-agnostic'],
  options: {
    score: {
      type: 'choice',
      choices: ['alpha', 'knorm_alpha'],
      default: 'alpha',
      doc: 'alpha: age · log β; knorm_alpha: plus the logarithm of the length of the key',
    },
  },
  parts: ({ score }, { ageOffset }) => ({ score: decay({ ageOffset, logKeyNorm: score === 'knorm_alpha' }) }),
})
