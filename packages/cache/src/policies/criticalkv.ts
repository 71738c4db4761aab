import { baseDoc, baseNames, baseOptions, baseRating, lifted } from '../base-rating.ts'
import { definePolicy, type Policy } from '../policy.ts'
import { promptWhole } from '../preset-notes.ts'
import { promptWindowOptions } from '../prompt-window.ts'
import { twoStage } from '../transform.ts'

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
  ],
  parts({ base, share, epsilon, ...settings }, { budget, when }) {
    const queries = when === 'decode' ? settings.queries : undefined
    const { score, transforms, protect } = lifted(baseRating(base, { ...settings, queries }))
    const second = twoStage({ first: Math.floor(budget * share), epsilon })
    return { score, transforms: [...transforms, second], protect }
  },
})
