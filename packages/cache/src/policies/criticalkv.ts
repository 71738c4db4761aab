import { baseDoc, baseNames, baseOptions, baseRating } from '../base-rating.ts'
import { definePolicy, type Policy, pooled } from '../policy.ts'
import { promptWhole } from '../preset-notes.ts'
import { promptWindowOptions } from '../prompt-window.ts'
import { pooledTwoStage, twoStage } from '../transform.ts'

/** Half of the budget by a rating alone, half by the rating times what the value does to the output of the layer. */
export const criticalkv: Policy = definePolicy({
  name: 'criticalkv',
  source: 'CriticalKV (arXiv:2502.03805); kvpress criticalkv_press.py',
  formula: 'the best `share` of the budget by s stay; others (s + epsilon) · mean over the group of ‖W_o v‖₁',
  phases: ['decode', 'prefill-aware'],
  when: 'prefill',
  options: {
    base: {
      type: 'choice',
      choices: baseNames,
      default: 'snapkv',
      doc: `the rating of the first stage; ${baseDoc} without norms of values; where knorm and keydiff rate below 0, a larger mark on the output counts against a token, as in kvpress`,
    },
    ...promptWindowOptions,
    ...baseOptions,
    queries: {
      type: 'int',
      default: 256,
      min: 1,
      doc: 'expected: newest tokens whose queries count, with when=decode; after a prompt those of all its tokens do',
    },
    share: {
      type: 'number',
      default: 0.5,
      min: 0,
      max: 1,
      doc: 'share of the budget chosen in the first stage',
    },
    epsilon: { type: 'number', default: 1e-4, min: 0, doc: 'added to scores before they are weighed' },
    heads: {
      type: 'choice',
      choices: ['even', 'pooled'],
      default: 'even',
      doc: 'even: all heads keep the budget; pooled: the heads of a layer compete for it by s alone, as in adakv, before the two stages (CriticalAdaKV)',
    },
    safeguard: {
      type: 'number',
      default: 0.2,
      min: 0,
      max: 1,
      doc: 'heads=pooled: share of the budget that each head is sure of',
    },
  },
  presets: [
    { name: 'kvpress over SnapKV', options: {} },
    { name: 'kvpress over ExpectedAttention', options: { base: 'expected' } },
    {
      name: 'kvpress over ExpectedAttention, under DecodingPress',
      options: { base: 'expected', when: 'decode' },
      cache: { budget: 2048, buffer: 512, chunk: 0 },
      note: `${promptWhole}; positions as in expected-attention`,
    },
    { name: 'kvpress CriticalAdaKVPress over SnapKV', options: { heads: 'pooled' } },
    {
      name: 'kvpress CriticalAdaKVPress over ExpectedAttention',
      options: { base: 'expected', heads: 'pooled' },
    },
  ],
  parts({ base, share, epsilon, heads, safeguard, ...settings }, { budget, when }) {
    const queries = when === 'decode' ? settings.queries : undefined
    const { score, transforms, protect } = baseRating(base, { ...settings, queries })
    const stages = { budget, share, epsilon }
    if (heads === 'even') return { score, transforms: [...transforms, twoStage(stages)], protect }
    const second = pooledTwoStage({ ...stages, safe: Math.floor(budget * safeguard) })
    const allocate = pooled({ budget, scope: 'layer' })
    return { score, transforms: [...transforms, second], protect, allocate }
  },
})
