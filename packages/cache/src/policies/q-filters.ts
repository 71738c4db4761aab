import { attendsOption, definePolicy, type Policy } from '../policy.ts'
import { againstDirection } from '../score.ts'

/** Keys that lie along the direction in which the queries of a head mostly point. Directions are computed once per model. */
export const qFilters: Policy = definePolicy({
  name: 'q-filters',
  source: 'Q-Filters (arXiv:2503.02812), NathanGodey/qfilters; kvpress qfilter_press.py',
  formula: '−f · k, with f against the mean first singular direction of the queries of the group',
  phases: ['decode', 'prefill-agnostic'],
  options: {
    filters: {
      type: 'path',
      default: 'q-filters.safetensors',
      doc: 'safetensors file with the tensor q_filters [L, H, D] f32, of this model: `trimkv filters` writes one',
    },
    recent: {
      type: 'int',
      default: ({ when, budget }) => (when === 'prefill' ? 0 : Math.min(64, Math.floor(budget / 2))),
      min: 0,
      doc: 'newest tokens that always stay; default 64 or half the budget, 0 with when=prefill',
    },
    attends: attendsOption,
  },
  presets: [
    { name: 'kvpress', options: { when: 'prefill' } },
    {
      name: 'authors',
      options: { recent: 64, attends: 'kept' },
      cache: { buffer: 1, chunk: 0 },
      note: 'theirs evicts before attention in the prompt as well',
    },
  ],
  parts: ({ filters, recent, attends }, { shape: { layers, kvHeads, headDim } }) => ({
    score: againstDirection({ file: filters, tensor: 'q_filters', shape: [layers, kvHeads, headDim] }),
    protect: { last: recent },
    attends,
  }),
})
