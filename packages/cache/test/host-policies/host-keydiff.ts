import { definePolicy, type Policy } from '../../src/policy.ts'
import { hostScore } from '../../src/score.ts'

/** KeyDiff in plain TypeScript: −cos(key, mean of the normalised keys). */
export const hostKeydiff: Policy = definePolicy({
  name: 'host-keydiff',
  source: 'KeyDiff (arXiv:2504.15364)',
  phases: ['decode'],
  options: {},
  parts: () => ({
    score: hostScore({
      score(view, head) {
        const D = view.headDim
        const all = view.keys(head)
        const keys = Array.from({ length: view.length(head) }, (_, slot) =>
          all.subarray(slot * D, (slot + 1) * D),
        )
        const norms = keys.map((key) => Math.hypot(...key))
        const mean = new Float64Array(D)
        keys.forEach((key, slot) => {
          key.forEach((x, d) => {
            mean[d]! += x / norms[slot]! / keys.length
          })
        })
        const length = Math.hypot(...mean)
        return keys.map(
          (key, slot) => -key.reduce((dot, x, d) => dot + x * mean[d]!, 0) / norms[slot]! / length,
        )
      },
    }),
  }),
})
