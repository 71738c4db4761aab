import { definePolicy, type Policy } from '../policy.ts'
import { writtenScore } from '../score.ts'

/** A number drawn once per token and head: the baseline every method must beat. */
export const random: Policy = definePolicy({
  name: 'random',
  source: 'baseline; counter-based generator after Salmon et al. 2011',
  formula: 'a number in [0, 1) by seed, layer, head and token',
  phases: ['decode', 'prefill-agnostic'],
  options: { seed: { type: 'int', default: 0, min: 0, max: 2 ** 32 - 1, doc: 'same seed, same choice' } },
  parts: ({ seed }) => ({
    score: writtenScore('random', {
      kind: 'ops',
      write: (ops, { index, layer, heads }) => ops.slotRandom({ index }, { seed, layer, heads }),
    }),
  }),
})
