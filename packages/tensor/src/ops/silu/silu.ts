import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { siluRef } from './silu.ref.ts'

const rules = new ShapeRules('silu')

export type SiluSlots = { readonly x: 'in' }

/**
 * `x · sigmoid(x)`, element by element.
 * - x [N, F] f32, rows may be strided; out [N, F] f32
 */
export const silu: Op<SiluSlots, Record<never, never>, 'out'> = {
  name: 'silu',
  source: 'Elfwing et al. 2017 (arXiv:1702.03118), SiLU',
  slots: { x: 'in' },
  outputs: ['out'],
  infer({ x }) {
    const { N, F } = rules.match<'N' | 'F'>('x', x, ['N', 'F'])
    rules.dtype('x', x, 'f32')
    return { out: { dtype: 'f32', shape: [N, F] } }
  },
  scalars: () => [],
  reference: siluRef,
  cost: ({ x }) => ({ flops: 4 * x.shape[0]! * x.shape[1]!, bytes: 8 * x.shape[0]! * x.shape[1]! }),
}
