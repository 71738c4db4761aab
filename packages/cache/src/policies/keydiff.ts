import { definePolicy, type Policy } from '../policy.ts'
import { keyDifference } from '../score.ts'

/** Keys unlike the average stored key. */
export const keydiff: Policy = definePolicy({
  name: 'keydiff',
  source: 'KeyDiff (arXiv:2504.15364); kvpress keydiff_press.py',
  formula: '−cos(k, mean of k/‖k‖)',
  presets: [
    { name: 'paper', options: {}, note: 'prompt in chunks of 128' },
    { name: 'kvpress', options: { when: 'prefill' } },
  ],
  phases: ['decode', 'prefill-agnostic'],
  options: {},
  parts: () => ({ score: keyDifference() }),
})
