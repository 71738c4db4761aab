import { definePolicy, type Policy } from '../policy.ts'
import { windowAttention } from '../score.ts'
import { shareHeads } from '../transform.ts'

/** What the newest query attends to, averaged over all heads of a layer. The prefill form keeps the newest token. */
export const tova: Policy = definePolicy({
  name: 'tova',
  source: 'TOVA (arXiv:2401.06104); kvpress tova_press.py for the prefill form',
  formula: 'attention of the newest query, mean over all heads of the layer',
  presets: [
    { name: 'paper', options: {}, cache: { budget: 512, buffer: 1, chunk: 0 } },
    { name: 'kvpress', options: { when: 'prefill' } },
  ],
  phases: ['decode', 'prefill-aware'],
  options: {},
  parts: (_, { when }) => ({
    score: windowAttention({ window: 1, columns: 'all' }),
    transforms: [shareHeads()],
    protect: { last: when === 'prefill' ? 1 : 0 },
  }),
})
