import { dtypeBytes } from '../../dtype.ts'
import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules, weightDtypes } from '../../shape-rules.ts'
import { linearRef } from './linear.ref.ts'

const rules = new ShapeRules('linear')

export type LinearSlots = {
  readonly x: 'in'
  readonly weight: 'in'
  readonly bias: 'optional'
  readonly residual: 'optional'
}

/**
 * `x · weightᵀ (+ bias) (+ residual)`; weights are used as they are stored.
 * A row's result has the same bits whatever rows stand beside it. With a quantised weight the rows of x are quantised too, to
 * int8 with a scale for every 32 elements: `quantisedActivations` is that step.
 * - x [N, K] f32, rows may be strided
 * - weight [O, K] f32 | bf16 | f16 | f8 | q8 | q4
 * - bias [O] f32 | bf16 | f16 | f8; residual [N, O] f32, rows may be strided
 * - out [N, O] f32; products are summed in f32
 */
export const linear: Op<LinearSlots, Record<never, never>, 'out'> = {
  name: 'linear',
  source: 'HF transformers, torch.nn.Linear (y = x Aᵀ + b)',
  slots: { x: 'in', weight: 'in', bias: 'optional', residual: 'optional' },
  outputs: ['out'],
  infer({ x, weight, bias, residual }) {
    const { N, K } = rules.match<'N' | 'K'>('x', x, ['N', 'K'])
    const { O } = rules.match<'O'>('weight', weight, ['O', K])
    rules.dtype('x', x, 'f32')
    rules.dtype('weight', weight, ...weightDtypes)
    if (bias) {
      rules.match('bias', bias, [O])
      rules.dtype('bias', bias, ...floatDtypes)
    }
    if (residual) {
      rules.match('residual', residual, [N, O])
      rules.dtype('residual', residual, 'f32')
    }
    return { out: { dtype: 'f32', shape: [N, O] } }
  },
  scalars: () => [],
  reference: linearRef,
  cost({ x, weight }) {
    const [rows, depth] = x.shape as [number, number]
    const columns = weight.shape[0]!
    const bytes = columns * depth * dtypeBytes(weight.dtype)
    return { flops: 2 * rows * depth * columns, bytes: bytes + 4 * rows * (depth + columns) }
  },
}
