import { definePolicy, type Policy } from '../policy.ts'
import { attentionMass, type HostScore, hostScore } from '../score.ts'

/** Mass divided by the number of queries that could see the slot (kvpress's observed attention). */
export const observedAttention = (): HostScore =>
  hostScore({
    needs: { mass: true },
    orderedSlots: false,
    score(view, head) {
      const positions = view.positions(head)
      return Float64Array.from(
        view.column('mass', head),
        (mass, slot) => mass / (view.seen - positions[slot]!),
      )
    },
  })

/**
 * Heavy hitters by accumulated attention, and recent tokens. The mass of a slot is the mean over the query heads of its
 * group, summed over all queries so far. The prefill form is kvpress's observed attention.
 */
export const h2o: Policy = definePolicy({
  name: 'h2o',
  source: 'H2O (arXiv:2306.14048); kvpress observed_attention_press.py for the prefill form',
  formula:
    'Σ over queries of attention to the token, mean over the group; visible: divided by the queries that could see it',
  presets: [
    {
      name: 'paper',
      options: {},
      cache: { buffer: 1, chunk: 0 },
      note: 'half the budget heavy, half recent',
    },
    { name: 'kvpress, observed attention', options: { when: 'prefill' } },
  ],
  phases: ['decode', 'prefill-aware'],
  options: {
    recent: {
      type: 'int',
      default: ({ budget, when }) => (when === 'prefill' ? 0 : Math.floor(budget / 2)),
      min: 0,
      doc: 'newest tokens that always stay; default half the budget, 0 with when=prefill',
    },
    normalise: {
      type: 'choice',
      choices: ['none', 'visible'],
      default: ({ when }) => (when === 'prefill' ? 'visible' : 'none'),
      doc: 'visible: divide the mass by the queries that could see the slot; default none, visible with when=prefill',
    },
  },
  parts: ({ recent, normalise }) => ({
    score: normalise === 'none' ? attentionMass() : observedAttention(),
    protect: { last: recent },
  }),
})
