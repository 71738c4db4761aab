// A policy in one file. It works wherever built-in names do:
//   npx trimkv compare MODEL --policies full,streaming,./my-policy.ts:recent=4 --budget 32 --prompt "…"
import { definePolicy, hostScore, type Policy } from '@trimkv/cache'

/** Keeps the newest tokens, and of the others those whose values are longest. */
export const longValues: Policy = definePolicy({
  name: 'long-values',
  source: 'an example',
  phases: ['decode', 'prefill-agnostic'],
  options: {
    recent: { type: 'int', min: 0, default: 4, doc: 'newest tokens that always stay' },
  },
  parts: ({ recent }) => ({
    // One number per slot, larger is kept. The cache does the rest: budget, selection, storage.
    score: hostScore({
      score(view, head) {
        const values = view.values(head)
        return Float32Array.from({ length: view.length(head) }, (_, slot) =>
          Math.hypot(...values.subarray(slot * view.headDim, (slot + 1) * view.headDim)),
        )
      },
    }),
    protect: { last: recent },
  }),
})
