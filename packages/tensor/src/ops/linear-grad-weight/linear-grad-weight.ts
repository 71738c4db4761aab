import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { linearGradWeightRef } from './linear-grad-weight.ref.ts'

const rules = new ShapeRules('linearGradWeight')

export type LinearGradWeightSlots = {
  readonly dy: 'in'
  readonly x: 'in'
}

/**
 * Gradient of `linear` with respect to weight: `dyᵀ · x`.
 * - dy [N, O] f32, rows may be strided
 * - x [N, K] f32, rows may be strided
 * - out [O, K] f32; N is cut into blocks of fixed size, each summed in f32, and their sums are added in order
 */
export const linearGradWeight: Op<LinearGradWeightSlots, Record<never, never>, 'out'> = {
  name: 'linearGradWeight',
  source: 'torch.nn.Linear, gradient of y = x Aᵀ + b with respect to A (dyᵀ x)',
  slots: { dy: 'in', x: 'in' },
  outputs: ['out'],
  infer({ dy, x }) {
    const { N, O } = rules.match<'N' | 'O'>('dy', dy, ['N', 'O'])
    const { K } = rules.match<'K'>('x', x, [N, 'K'])
    rules.dtype('dy', dy, 'f32')
    rules.dtype('x', x, 'f32')
    return { out: { dtype: 'f32', shape: [O, K] } }
  },
  scalars: () => [],
  reference: linearGradWeightRef,
  cost({ dy, x }) {
    const [rows, columns] = dy.shape as [number, number]
    const depth = x.shape[1]!
    return {
      flops: 2 * rows * depth * columns,
      bytes: 4 * (rows * (depth + columns) + columns * depth),
    }
  },
}
