import { definePolicy, type Policy } from '../policy.ts'
import { everyMultiple } from '../preset-notes.ts'
import { windowAttention } from '../score.ts'
import { penaliseRedundancy, pool } from '../transform.ts'

/** Attention of a recent window minus redundancy of keys: λ · importance − (1 − λ) · redundancy; the window stays. */
export const rKv: Policy = definePolicy({
  name: 'r-kv',
  source: 'R-KV (arXiv:2505.24133); R-KV repository, r1_kv.py, retain direction "last"',
  formula:
    'λ · pool(mean over the window of softmax over older tokens of the largest logit of the group) − (1 − λ) · softmax over tokens of the mean over stored keys of their cosine to this one, where each key spares the newest token that it repeats',
  presets: [
    { name: 'paper', options: { lambda: 0.1 }, cache: { buffer: 128, chunk: 0 }, note: everyMultiple },
    {
      name: 'class and command line of the repository',
      options: { lambda: 0.07 },
      cache: { buffer: 128, chunk: 0 },
      note: everyMultiple,
    },
  ],
  phases: ['decode', 'prefill-aware'],
  options: {
    lambda: { type: 'number', default: 0.1, min: 0, max: 1, doc: 'weight of importance against redundancy' },
    window: {
      type: 'int',
      default: 8,
      min: 1,
      doc: 'newest tokens whose queries rate the others and which always stay',
    },
    kernel: { type: 'int', default: 7, min: 1, doc: 'width of the max-pooling, odd' },
    threshold: {
      type: 'number',
      default: 0.5,
      min: -1,
      max: 1,
      doc: 'cosine above which two keys say the same',
    },
  },
  parts: ({ lambda, window, kernel, threshold }) => ({
    score: windowAttention({ window, columns: 'candidates' }),
    transforms: [
      pool({ kernel, kind: 'max', exclude: window }),
      penaliseRedundancy({ keep: lambda, threshold }),
    ],
    protect: { last: window },
  }),
})
