import type { ColumnWriter } from '../needs.ts'
import { attendsOption, definePolicy, type Policy } from '../policy.ts'
import { writtenScore } from '../score.ts'

/** −‖k‖, written with each token. */
export const shortness: ColumnWriter = {
  kind: 'ops',
  write(ops, { k }) {
    const norm = ops.keyNorm({ k }, { log: false })
    return ops.mix({ a: norm, b: norm }, { a: -1, b: 0 })
  },
}

/** Short keys: −‖k‖. */
export const knorm: Policy = definePolicy({
  name: 'knorm',
  source: 'L2 norm compression (arXiv:2406.11430); kvpress knorm_press.py',
  formula: '−‖k‖₂',
  presets: [
    { name: 'kvpress', options: { when: 'prefill' } },
    {
      name: 'authors, cache of their examples',
      options: { recent: 64, attends: 'kept' },
      cache: { budget: 128, buffer: 1, chunk: 0 },
      note: 'theirs evicts before attention in the prompt as well',
    },
  ],
  phases: ['decode', 'prefill-agnostic'],
  options: {
    recent: { type: 'int', default: 0, min: 0, doc: 'newest tokens that always stay' },
    attends: attendsOption,
  },
  parts: ({ recent, attends }) => ({
    score: writtenScore('shortness', shortness),
    protect: { last: recent },
    attends,
  }),
})
