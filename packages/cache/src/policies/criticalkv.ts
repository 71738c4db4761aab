import { definePolicy, type Policy } from '../policy.ts'
import { promptWindow, promptWindowOptions } from '../prompt-window.ts'
import { expectedAttention } from '../score.ts'
import { liftProtected, twoStage } from '../transform.ts'

/**
 * Half of the budget by attention alone, half by attention times what the value does to the output of the layer. Attention is
 * SnapKV's, or what is expected of queries to come.
 */
export const criticalkv: Policy = definePolicy({
  name: 'criticalkv',
  source: 'CriticalKV (arXiv:2502.03805); kvpress criticalkv_press.py',
  formula: 'the best `share` of the budget by s stay; others (s + epsilon) · mean over the group of ‖W_o v‖₁',
  phases: ['decode', 'prefill-aware'],
  when: 'prefill',
  options: {
    base: {
      type: 'choice',
      choices: ['snapkv', 'expected'],
      default: 'snapkv',
      doc: 'snapkv: attention of the last queries; expected: of queries to come, without norms of values',
    },
    ...promptWindowOptions,
    sinks: { type: 'int', default: 4, min: 0, doc: 'first tokens that always stay, with base=expected' },
    future: { type: 'int', default: 512, min: 1, doc: 'positions ahead that base=expected averages over' },
    queries: {
      type: 'int',
      default: 256,
      min: 1,
      doc: 'newest tokens whose queries base=expected counts, with when=decode; after a prompt those of all its tokens',
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
      note: 'budget 2048, buffer 512; positions as in expected-attention',
    },
  ],
  parts({ base, window, kernel, pool, sinks, future, queries, share, epsilon }, { budget, when }) {
    const second = twoStage({ first: Math.floor(budget * share), epsilon })
    if (base === 'expected') {
      return {
        score: expectedAttention({
          sinks,
          future,
          covariance: true,
          queries: when === 'decode' ? queries : undefined,
        }),
        transforms: [liftProtected({ first: sinks }), second],
        protect: { first: sinks },
      }
    }
    const { score, transforms } = promptWindow({ window, kernel, pool })
    return {
      score,
      transforms: [...transforms, liftProtected({ last: window }), second],
      protect: { last: window },
    }
  },
})
