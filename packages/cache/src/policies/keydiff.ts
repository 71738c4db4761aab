import { definePolicy, type Policy } from '../policy.ts'
import { keyDifference } from '../score.ts'

/** Keys unlike the average stored key. */
export const keydiff: Policy = definePolicy({
  name: 'keydiff',
  source: 'KeyDiff (arXiv:2504.15364); kvpress keydiff_press.py',
  phases: ['decode', 'prefill-agnostic'],
  options: {},
  parts: () => ({ score: keyDifference() }),
})
