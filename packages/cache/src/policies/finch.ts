import { definePolicy, type Policy } from '../policy.ts'
import { windowAttention } from '../score.ts'
import { liftProtected, rankWithin } from '../transform.ts'

/** What the question at the end of the prompt attends to; survivors move together, and reading goes on after them. */
export const finch: Policy = definePolicy({
  name: 'finch',
  source: 'FINCH (TACL 2024, 10.1162/tacl_a_00716); kvpress finch_press.py',
  formula:
    'mean over the queries t of the question of attention · t (tokens before t); with chunk its rank in its chunk',
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
    chunk: {
      type: 'int',
      default: 0,
      min: 0,
      doc: 'chunks of so many tokens lose the same share of theirs; 0: the whole prompt competes',
    },
  },
  presets: [
    {
      name: 'kvpress',
      options: {},
      note: 'question: the tokens after its delimiter; chunk is its chunk_length, which divides the choice and not the reading: a share of each chunk, rounded down, here the exact budget',
    },
    { name: 'kvpress, rerotate_keys off', options: { positions: 'keep' } },
  ],
  parts: ({ question, normalise, chunk }) => ({
    score: windowAttention({ window: question, columns: 'all', timesVisible: normalise === 'on' }),
    // The question stays whatever happens, so it takes the best places of its chunk.
    transforms: chunk > 0 ? [liftProtected(), rankWithin(chunk)] : [],
    protect: { last: question },
  }),
})
