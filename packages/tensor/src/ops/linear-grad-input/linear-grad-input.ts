import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { linearGradInputRef } from './linear-grad-input.ref.ts'

const rules = new ShapeRules('linearGradInput')

export type LinearGradInputSlots = {
  readonly dy: 'in'
  readonly weight: 'in'
}

/**
 * Gradient of `linear` with respect to x: `dy · weight`; weights are used as they are stored.
 * - dy [N, O] f32, rows may be strided
 * - weight [O, K] f32 | bf16 | f16 | f8
 * - out [N, K] f32; products are summed in f32
 */
export const linearGradInput: Op<LinearGradInputSlots, Record<never, never>, 'out'> = {
  name: 'linearGradInput',
  source: 'torch.nn.Linear, gradient of y = x Aᵀ + b with respect to x (dy A)',
  slots: { dy: 'in', weight: 'in' },
  outputs: ['out'],
  infer({ dy, weight }) {
    const { N, O } = rules.match<'N' | 'O'>('dy', dy, ['N', 'O'])
    const { K } = rules.match<'K'>('weight', weight, [O, 'K'])
    rules.dtype('dy', dy, 'f32')
    rules.dtype('weight', weight, ...floatDtypes)
    return { out: { dtype: 'f32', shape: [N, K] } }
  },
  scalars: () => [],
  reference: linearGradInputRef,
  cost({ dy, weight }) {
    const rows = dy.shape[0]!
    const [columns, depth] = weight.shape as [number, number]
    const bytes = columns * depth * (weight.dtype === 'f32' ? 4 : 2)
    return { flops: 2 * rows * depth * columns, bytes: bytes + 4 * rows * (depth + columns) }
  },
}
