import { definePolicy, type Policy } from '../policy.ts'
import { keyDifference } from '../score.ts'

/** Keys unlike the average stored key. */
export const keydiff: Policy = definePolicy({
  name: 'keydiff',
  source: 'KeyDiff (arXiv:2504.15364); kvpress keydiff_press.py',
  formula: '−cos(k, mean of k/‖k‖)',
  presets: [
    { name: 'paper', options: {}, cache: { buffer: 1, chunk: 128 } },
    { name: 'kvpress', options: { when: 'prefill' } },
  ],
  phases: ['decode', 'prefill-agnostic'],
  options: {
    recent: { type: 'int', default: 0, min: 0, doc: 'newest tokens that always stay; none in the paper' },
  },
  parts: ({ recent }) => ({ score: keyDifference(), protect: { last: recent } }),
})
