import { definePolicy, type Policy } from '../policy.ts'
import { everyMultiple } from '../preset-notes.ts'
import { windowAttention } from '../score.ts'
import { pool } from '../transform.ts'

/** What the queries of a recent window attend to, smoothed over neighbours; the window itself stays. */
export const snapkv: Policy = definePolicy({
  name: 'snapkv',
  source:
    'SnapKV (arXiv:2404.14469); R-KV repository for decoding; kvpress snapkv_press.py for the prefill form',
  formula:
    'pool(mean over queries of the window of attention); attention: while decoding softmax over older tokens of the largest q·k/√D of the group, after a prompt softmax over all tokens, mean over the group',
  presets: [
    { name: 'kvpress', options: { when: 'prefill' } },
    {
      name: 'paper, LongBench',
      options: { when: 'prefill', window: 32, kernel: 7, pool: 'max' },
      note: 'theirs keeps one set per query head, here per key/value head',
    },
    {
      name: 'R-KV repository',
      options: { window: 8, kernel: 7 },
      cache: { buffer: 128, chunk: 0 },
      note: everyMultiple,
    },
    { name: 'kvpress under KeyRerotationPress', options: { when: 'prefill', positions: 'slot' } },
  ],
  phases: ['decode', 'prefill-aware'],
  options: {
    window: {
      type: 'int',
      default: ({ when }) => (when === 'prefill' ? 64 : 8),
      min: 1,
      doc: 'newest tokens whose queries rate the others and which always stay; default 8, 64 with when=prefill',
    },
    kernel: {
      type: 'int',
      default: ({ when }) => (when === 'prefill' ? 5 : 7),
      min: 1,
      doc: 'width of the smoothing, odd; default 7, 5 with when=prefill',
    },
    pool: {
      type: 'choice',
      choices: ['max', 'avg'],
      default: ({ when }) => (when === 'prefill' ? 'avg' : 'max'),
      doc: 'smoothing by the largest or the mean score; default max, avg with when=prefill',
    },
  },
  parts: ({ window, kernel, pool: kind }, { when }) => ({
    score: windowAttention({ window, columns: when === 'prefill' ? 'all' : 'candidates' }),
    transforms: [pool({ kernel, kind, exclude: window })],
    protect: { last: window },
  }),
})
