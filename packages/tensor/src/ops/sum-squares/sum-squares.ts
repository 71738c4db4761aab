import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { sumSquaresRef } from './sum-squares.ref.ts'

const rules = new ShapeRules('sumSquares')

export type SumSquaresSlots = { readonly x: 'in' }

/**
 * `Σ x²` over all elements: the square of the norm that gradients are clipped by.
 * - x of any shape, contiguous, f32
 * - out [1] f32, summed in f64
 */
export const sumSquares: Op<SumSquaresSlots, Record<never, never>, 'out'> = {
  name: 'sumSquares',
  source: 'torch.nn.utils.clip_grad_norm_, norm type 2',
  slots: { x: 'in' },
  outputs: ['out'],
  infer({ x }) {
    rules.dtype('x', x, 'f32')
    return { out: { dtype: 'f32', shape: [1] } }
  },
  scalars: () => [],
  reference: sumSquaresRef,
}
