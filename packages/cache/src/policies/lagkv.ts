import { definePolicy, type Policy } from '../policy.ts'
import { promptWhole } from '../preset-notes.ts'
import { lagDeviation } from '../score.ts'

/** Tokens whose key and value stand out of the stretch of text that follows, the same share of each stretch. */
export const lagkv: Policy = definePolicy({
  name: 'lagkv',
  source: 'LagKV (arXiv:2504.04704); kvpress lagkv_press.py',
  formula:
    'rank in its partition of softmax(std over channels of (x − min)/(max − min)) by the next partition, mean of key and value',
  phases: ['decode', 'prefill-agnostic'],
  when: 'prefill',
  options: {
    sinks: { type: 'int', default: 4, min: 0, doc: 'first tokens that always stay' },
    partition: { type: 'int', default: 128, min: 1, doc: 'tokens of a stretch; the last whole one stays' },
    rank: {
      type: 'choice',
      choices: ['within', 'across'],
      default: 'within',
      doc: 'within: all partitions lose the same share; across: ratings of all partitions compete',
    },
  },
  presets: [
    { name: 'kvpress', options: {} },
    { name: 'kvpress, cross_scoring', options: { rank: 'across' } },
    {
      name: 'kvpress under DecodingPress',
      options: { when: 'decode' },
      cache: { budget: 2048, buffer: 512, chunk: 0 },
      note: `${promptWhole}; every cut divides what is stored into partitions anew`,
    },
    {
      name: 'authors, long texts',
      options: { sinks: 16, partition: 1024 },
      note: 'one cut after the prompt; their own recursion keeps a share of every partition it has passed, so of all text, and has no bound. With when=decode the budget holds',
    },
  ],
  parts: ({ sinks, partition, rank }) => ({
    score: lagDeviation({ sinks, partition, cross: rank === 'across' }),
    protect: { first: sinks },
  }),
})
