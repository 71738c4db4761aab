import { baseDoc, baseNames, baseOptions, baseRating, expectedEpsilon } from '../base-rating.ts'
import { definePolicy, type Policy, pooled } from '../policy.ts'
import { promptWindowOptions } from '../prompt-window.ts'
import { weighHeads } from '../transform.ts'

/** The budget of a layer divided over its heads by pooling their scores, each head sure of a share. */
export const adakv: Policy = definePolicy({
  name: 'adakv',
  source: 'AdaKV (arXiv:2407.11550), Algorithm 1; floor=top: kvpress adakv_press.py; floor=mix: FFY0/AdaKV',
  formula: 'that of `base`; the slots of all heads of a layer in one pool',
  presets: [
    { name: 'kvpress', options: {} },
    {
      name: 'kvpress over ExpectedAttention',
      options: { base: 'expected', epsilon: 0.01 },
    },
    {
      name: 'AdaKV repository',
      options: { floor: 'mix', window: 32, kernel: 7, pool: 'max' },
      note: 'safeguard 0.2 in its scripts, 0.5 in its quick start',
    },
  ],
  phases: ['prefill-aware'],
  options: {
    base: {
      type: 'choice',
      choices: baseNames,
      default: 'snapkv',
      doc: `the rating that heads compete by; ${baseDoc}`,
    },
    floor: {
      type: 'choice',
      choices: ['top', 'mix'],
      default: 'top',
      doc: 'top: the best tokens of each head are sure, the total is exact; mix: wins are mixed with an even share, as in the paper',
    },
    safeguard: {
      type: 'number',
      default: 0.2,
      min: 0,
      max: 1,
      doc: 'share of the budget that each head is sure of',
    },
    normalise: {
      type: 'choice',
      choices: ['off', 'on'],
      default: 'off',
      doc: 'on: heads compete by their scores times the share of their total that their best tokens have, as many as an even budget gives them',
    },
    ...promptWindowOptions,
    ...baseOptions,
    epsilon: expectedEpsilon,
  },
  parts({ base, floor, safeguard, normalise, ...settings }, { budget }) {
    const { transforms, protect, ...rest } = baseRating(base, settings)
    const weighed = normalise === 'on' ? [weighHeads(budget)] : []
    return {
      ...rest,
      transforms: [...transforms, ...weighed],
      protect,
      allocate: pooled({
        budget,
        scope: 'layer',
        floor:
          floor === 'top'
            ? { kind: 'top', slots: Math.floor(budget * safeguard) }
            : { kind: 'mix', share: safeguard },
      }),
    }
  },
})
