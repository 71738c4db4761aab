import { definePolicy, type Policy } from '../policy.ts'
import { promptWhole } from '../preset-notes.ts'
import { expectedAttention as expected } from '../score.ts'
import { liftProtected, timesValueNorm } from '../transform.ts'

/** Attention that queries to come are expected to give, as if Gaussian like those read, times the length of the value. */
export const expectedAttention: Policy = definePolicy({
  name: 'expected-attention',
  source: 'ExpectedAttention (arXiv:2510.00636); kvpress expected_attention_press.py',
  formula: 'mean over the group of softmax(k·Rμ/√D + kᵀRΣRᵀk/2D) + epsilon, times ‖v‖₂',
  phases: ['decode', 'prefill-aware'],
  when: 'prefill',
  options: {
    sinks: {
      type: 'int',
      default: 4,
      min: 0,
      doc: 'first tokens that always stay; their queries do not count',
    },
    future: { type: 'int', default: 512, min: 1, doc: 'positions ahead that the rotation is averaged over' },
    queries: {
      type: 'int',
      default: 256,
      min: 1,
      doc: 'newest tokens whose queries count, with when=decode; after a prompt those of all its tokens do',
    },
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
    {
      name: 'kvpress under DecodingPress',
      options: { when: 'decode' },
      cache: { budget: 2048, buffer: 512, chunk: 0 },
      note: `${promptWhole}, leaves out the first 4 of the 256 queries and takes 256 as the number of tokens read; here sinks and positions are those of the text`,
    },
  ],
  parts: ({ sinks, future, queries, covariance, values, epsilon }, { when }) => ({
    score: expected({
      sinks,
      future,
      covariance: covariance === 'on',
      queries: when === 'decode' ? queries : undefined,
    }),
    transforms: [...(values === 'on' ? [timesValueNorm({ epsilon })] : []), liftProtected()],
    protect: { first: sinks },
  }),
})
