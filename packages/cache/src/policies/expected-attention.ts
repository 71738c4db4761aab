import { definePolicy, type Policy } from '../policy.ts'
import { expectedAttention as expected } from '../score.ts'
import { liftProtected, timesValueNorm } from '../transform.ts'

/** Attention that queries to come are expected to give, as if Gaussian like those of the prompt, times the length of the value. */
export const expectedAttention: Policy = definePolicy({
  name: 'expected-attention',
  source: 'ExpectedAttention (arXiv:2510.00636); kvpress expected_attention_press.py',
  formula: 'mean over the group of softmax(k·Rμ/√D + kᵀRΣRᵀk/2D) + epsilon, times ‖v‖₂',
  phases: ['prefill-aware'],
  options: {
    sinks: {
      type: 'int',
      default: 4,
      min: 0,
      doc: 'first tokens that always stay; their queries do not count',
    },
    future: { type: 'int', default: 512, min: 1, doc: 'positions ahead that the rotation is averaged over' },
    covariance: {
      type: 'choice',
      choices: ['on', 'off'],
      default: 'on',
      doc: 'whether the spread of the queries counts beside their mean',
    },
    values: {
      type: 'choice',
      choices: ['on', 'off'],
      default: 'on',
      doc: 'whether attention is multiplied by the length of the value',
    },
    epsilon: { type: 'number', default: 0, min: 0, doc: 'added to attention before it is multiplied' },
  },
  presets: [
    { name: 'kvpress', options: {} },
    { name: 'kvpress, mean only', options: { covariance: 'off', values: 'off' } },
  ],
  parts: ({ sinks, future, covariance, values, epsilon }) => ({
    score: expected({ sinks, future, covariance: covariance === 'on' }),
    transforms: [...(values === 'on' ? [timesValueNorm({ epsilon })] : []), liftProtected({ first: sinks })],
    protect: { first: sinks },
  }),
})
