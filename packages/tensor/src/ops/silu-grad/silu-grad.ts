import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { siluGradRef } from './silu-grad.ref.ts'

const rules = new ShapeRules('siluGrad')

export type SiluGradSlots = { readonly x: 'in'; readonly dy: 'in' }

/**
 * Gradient of `silu`, from that of its output: with s = sigmoid(x), `dy · s · (1 + x · (1 − s))`.
 * - x, dy [N, F] f32, rows may be strided; out [N, F] f32
 */
export const siluGrad: Op<SiluGradSlots, Record<never, never>, 'out'> = {
  name: 'siluGrad',
  source: 'Elfwing et al. 2017 (arXiv:1702.03118), derivative of SiLU',
  slots: { x: 'in', dy: 'in' },
  outputs: ['out'],
  infer({ x, dy }) {
    const { N, F } = rules.match<'N' | 'F'>('x', x, ['N', 'F'])
    rules.match('dy', dy, [N, F])
    rules.dtype('x', x, 'f32')
    rules.dtype('dy', dy, 'f32')
    return { out: { dtype: 'f32', shape: [N, F] } }
  },
  scalars: () => [],
  reference: siluGradRef,
  cost: ({ x }) => ({ flops: 8 * x.shape[0]! * x.shape[1]!, bytes: 12 * x.shape[0]! * x.shape[1]! }),
}
