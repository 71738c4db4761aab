import type { ColumnWriter } from '../needs.ts'
import { definePolicy, type Policy } from '../policy.ts'
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
  presets: [{ name: 'kvpress', options: { when: 'prefill' } }],
  phases: ['decode', 'prefill-agnostic'],
  options: {},
  parts: () => ({ score: writtenScore('shortness', shortness) }),
})
