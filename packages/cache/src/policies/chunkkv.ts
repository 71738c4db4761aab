import { baseDoc, baseNames, baseOptions, baseRating, expectedEpsilon } from '../base-rating.ts'
import { definePolicy, type Policy } from '../policy.ts'
import { promptWindowOptions } from '../prompt-window.ts'
import { chunkMean, liftProtected, shareHeads } from '../transform.ts'

/**
 * Stretches of neighbouring tokens stay or go together, the same in all heads of a layer. Of the chunk at the border the
 * newest tokens fill the budget.
 */
export const chunkkv: Policy = definePolicy({
  name: 'chunkkv',
  source: 'ChunkKV (arXiv:2502.00299); kvpress chunkkv_press.py over snapkv_press.py',
  formula:
    'mean over the chunk of the mean over heads of `base`: of snapkv the attention of the last `window` queries, smoothed',
  phases: ['prefill-aware'],
  options: {
    base: {
      type: 'choice',
      choices: baseNames,
      default: 'snapkv',
      doc: `the rating of single tokens; ${baseDoc}`,
    },
    ...promptWindowOptions,
    ...baseOptions,
    epsilon: expectedEpsilon,
    chunk: { type: 'int', default: 20, min: 1, doc: 'tokens that stay or go together' },
  },
  presets: [
    { name: 'kvpress', options: {}, note: 'keeps whole chunks; here the budget is filled exactly' },
    { name: 'paper', options: { chunk: 10 }, note: 'without sharing indices between layers' },
  ],
  parts({ base, chunk, ...settings }) {
    const { score, transforms, protect } = baseRating(base, settings)
    return { score, transforms: [...transforms, liftProtected(), shareHeads(), chunkMean(chunk)], protect }
  },
})
