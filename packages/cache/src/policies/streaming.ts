import { definePolicy, type Policy } from '../policy.ts'
import { everyMultiple } from '../preset-notes.ts'
import { recency } from '../score.ts'

/** Attention sinks and a sliding window. Keys keep the angle of their true position unless positions=slot. */
export const streaming: Policy = definePolicy({
  name: 'streaming',
  source: 'StreamingLLM (arXiv:2309.17453); kvpress streaming_llm_press.py',
  formula: 'the index of the token',
  presets: [
    {
      name: 'paper',
      options: { sinks: 4, positions: 'slot' },
      cache: { budget: 516, exact: true },
      note: 'start_size 4 and recent_size 512; in its chat 2000',
    },
    { name: 'kvpress', options: { when: 'prefill' } },
    { name: 'kvpress under KeyRerotationPress', options: { when: 'prefill', positions: 'slot' } },
    { name: 'R-KV repository', options: {}, cache: { buffer: 128, chunk: 0 }, note: everyMultiple },
  ],
  phases: ['decode', 'prefill-agnostic'],
  options: { sinks: { type: 'int', default: 4, min: 0, doc: 'first tokens of the text that always stay' } },
  parts: ({ sinks }) => ({ score: recency(), protect: { first: sinks } }),
})
