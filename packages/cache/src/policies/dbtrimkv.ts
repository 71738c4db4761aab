import { decayOptions } from '../decay-options.ts'
import { definePolicy, type Policy, pooled } from '../policy.ts'
import { decay } from '../score.ts'

/**
 * TRIM-KV with one budget for all heads: tokens of all layers and heads compete by `age · log β`, so that heads which
 * forget fast leave their slots to heads which do not. A threshold drops what has decayed below it before it must go.
 */
export const dbtrimkv: Policy = definePolicy({
  name: 'dbtrimkv',
  source:
    'DBTrimKV (arXiv:2605.09649); released TRIM-KV code, dynamic cache, strategies alpha, knorm_alpha, layer_wise_*, threshold',
  formula: 'age · log β of all heads in one pool; with lookahead a: log Σ_{s<a} β^(age + 1 + s)',
  presets: [
    { name: 'released checkpoint 4B-Math', options: { lookahead: 2 }, cache: { budget: 128, chunk: 0 } },
    { name: 'released code, layer_wise_alpha', options: { scope: 'layer' }, cache: { chunk: 0 } },
    {
      name: 'released code, threshold',
      options: { threshold: 0.01 },
      cache: { chunk: 0 },
      note: 'alpha_threshold as you like and a budget as long as the text: there only the threshold drops tokens',
    },
  ],
  phases: ['decode', 'prefill-agnostic'],
  options: {
    scope: {
      type: 'choice',
      choices: ['model', 'layer'],
      default: 'model',
      doc: 'heads that compete: model for all, layer for those of one layer',
    },
    min: {
      type: 'int',
      default: 0,
      min: 0,
      doc: 'tokens every head keeps beside what it wins; the released floor_budget_ratio f is budget · f of them',
    },
    threshold: {
      type: 'number',
      default: 0,
      min: 0,
      max: 1,
      doc: 'drop tokens whose weight has fallen below this, even within the budget: β^age, or e to the score with lookahead or knorm_alpha; default 0, none',
    },
    ...decayOptions,
  },
  parts: ({ scope, min, threshold, score, lookahead }, { ageOffset, budget }) => ({
    score: decay({ ageOffset, logKeyNorm: score === 'knorm_alpha', lookahead }),
    allocate: pooled({
      budget,
      scope,
      floor: { kind: 'least', slots: min },
      threshold: Math.log(threshold),
    }),
  }),
})
