import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { geluRef } from './gelu.ref.ts'

const rules = new ShapeRules('gelu')

export type GeluSlots = { readonly x: 'in' }

/**
 * `x · Φ(x)` with the distribution function Φ of the normal distribution itself, not its approximation by tanh; element by
 * element.
 * - x [N, F] f32, rows may be strided; out [N, F] f32
 */
export const gelu: Op<GeluSlots, Record<never, never>, 'out'> = {
  name: 'gelu',
  source: 'Hendrycks and Gimpel 2016 (arXiv:1606.08415), GELU',
  slots: { x: 'in' },
  outputs: ['out'],
  infer({ x }) {
    const { N, F } = rules.match<'N' | 'F'>('x', x, ['N', 'F'])
    rules.dtype('x', x, 'f32')
    return { out: { dtype: 'f32', shape: [N, F] } }
  },
  scalars: () => [],
  reference: geluRef,
  cost: ({ x }) => ({ flops: 30 * x.shape[0]! * x.shape[1]!, bytes: 8 * x.shape[0]! * x.shape[1]! }),
}
