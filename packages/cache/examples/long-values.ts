import { definePolicy, hostScore, type Policy } from '../src/index.ts'

/** Keeps tokens whose value vectors are long, and the newest few. */
export const longValues: Policy = definePolicy({
  name: 'long-values',
  source: 'an example',
  phases: ['decode', 'prefill-agnostic'],
  options: {
    recent: { type: 'int', default: 4, min: 0, doc: 'newest tokens that always stay' },
  },
  parts: ({ recent }) => ({
    score: hostScore({
      score(view, head) {
        const values = view.values(head)
        return Array.from({ length: view.length(head) }, (_, slot) =>
          Math.hypot(...values.subarray(slot * view.headDim, (slot + 1) * view.headDim)),
        )
      },
    }),
    protect: { last: recent },
  }),
})
