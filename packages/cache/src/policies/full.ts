import { definePolicy, everything, type Policy } from '../policy.ts'

/** Keeps every token: what all other policies are measured against. */
export const full: Policy = definePolicy({
  name: 'full',
  source: 'Vaswani et al. 2017 (arXiv:1706.03762)',
  formula: 'everything stays',
  phases: ['decode'],
  options: {},
  parts: () => ({ allocate: everything() }),
})
