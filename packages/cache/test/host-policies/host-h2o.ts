import { definePolicy, type Policy } from '../../src/policy.ts'
import { hostScore } from '../../src/score.ts'

/** H2O in plain TypeScript: accumulated attention, half of the budget for recent tokens. */
export const hostH2o: Policy = definePolicy({
  name: 'host-h2o',
  source: 'H2O (arXiv:2306.14048)',
  phases: ['decode'],
  options: {},
  parts: (_, { budget }) => ({
    score: hostScore({ needs: { mass: true }, score: (view, head) => view.column('mass', head) }),
    protect: { last: Math.floor(budget / 2) },
  }),
})
