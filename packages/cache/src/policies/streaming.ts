import { definePolicy, type Policy } from '../policy.ts'
import { recency } from '../score.ts'

/** Attention sinks and a sliding window. Keys keep the angle of their true position. */
export const streaming: Policy = definePolicy({
  name: 'streaming',
  source: 'StreamingLLM (arXiv:2309.17453); kvpress streaming_llm_press.py',
  phases: ['decode', 'prefill-agnostic'],
  options: { sinks: { type: 'int', default: 4, min: 0, doc: 'first tokens of the text that always stay' } },
  parts: ({ sinks }) => ({ score: recency(), protect: { first: sinks } }),
})
