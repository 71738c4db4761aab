import { definePolicy, type Policy } from '../policy.ts'
import { windowAttention } from '../score.ts'

/** What the question at the end of the prompt attends to; survivors move together, and reading goes on after them. */
export const finch: Policy = definePolicy({
  name: 'finch',
  source: 'FINCH (TACL 2024, 10.1162/tacl_a_00716); kvpress finch_press.py',
  formula: 'mean over the queries t of the question of attention · t (tokens before t)',
  phases: ['prefill-aware'],
  positions: 'slot',
  options: {
    question: {
      type: 'int',
      default: 32,
      min: 1,
      doc: 'tokens of the question at the end of the prompt; they always stay',
    },
    normalise: {
      type: 'choice',
      choices: ['on', 'off'],
      default: 'on',
      doc: 'on: a query weighs as much as there are tokens before it',
    },
  },
  presets: [
    {
      name: 'kvpress',
      options: {},
      note: 'question: the tokens after its delimiter; chunk_length is not offered',
    },
    { name: 'kvpress, rerotate_keys off', options: { positions: 'keep' } },
  ],
  parts: ({ question, normalise }) => ({
    score: windowAttention({ window: question, columns: 'all', timesVisible: normalise === 'on' }),
    protect: { last: question },
  }),
})
