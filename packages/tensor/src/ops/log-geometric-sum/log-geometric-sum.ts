import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { logGeometricSumRef } from './log-geometric-sum.ref.ts'

const rules = new ShapeRules('logGeometricSum')

export type LogGeometricSumSlots = { readonly x: 'in' }

/**
 * log Σ e^{s·x} over s = 0 … terms − 1, for logarithms x of ratios: what the next `terms` steps hold of a weight that is
 * multiplied by e^x at each. Exact to the last bits also where x is tiny, and log(terms) where it is 0.
 * - x [B, C, H] f32, contiguous
 * - out [B, C, H] f32
 */
export const logGeometricSum: Op<LogGeometricSumSlots, { readonly terms: number }, 'out'> = {
  name: 'logGeometricSum',
  source: 'DBTrimKV (arXiv:2605.09649), global gain of a token over the steps ahead',
  slots: { x: 'in' },
  outputs: ['out'],
  infer({ x }, { terms }) {
    const { B, C, H } = rules.match<'B' | 'C' | 'H'>('x', x, ['B', 'C', 'H'])
    rules.dtype('x', x, 'f32')
    rules.option(Number.isSafeInteger(terms) && terms >= 1, `terms must be an integer ≥ 1, got ${terms}`)
    return { out: { dtype: 'f32', shape: [B, C, H] } }
  },
  scalars: ({ terms }) => [terms],
  reference: logGeometricSumRef,
}
