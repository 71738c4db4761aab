import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { logSigmoidGradRef } from './log-sigmoid-grad.ref.ts'

const rules = new ShapeRules('logSigmoidGrad')

export type LogSigmoidGradSlots = { readonly x: 'in'; readonly bias: 'optional'; readonly dy: 'in' }

/**
 * Gradient of `logSigmoid` with respect to `x`, from that of its output: `dy · (1 − sigmoid(x + bias))`, which keeps
 * its leading digits where the sigmoid rounds to 1. Summed over rows it is the gradient with respect to `bias`.
 * - x, dy [N, H] f32, rows may be strided; bias [H] f32 | bf16 | f16 | f8
 * - out [N, H] f32
 */
export const logSigmoidGrad: Op<LogSigmoidGradSlots, Record<never, never>, 'out'> = {
  name: 'logSigmoidGrad',
  source: 'TRIM-KV (arXiv:2512.03324), derivative of the log of the retention gate',
  slots: { x: 'in', bias: 'optional', dy: 'in' },
  outputs: ['out'],
  infer({ x, bias, dy }) {
    const { N, H } = rules.match<'N' | 'H'>('x', x, ['N', 'H'])
    rules.match('dy', dy, [N, H])
    rules.dtype('x', x, 'f32')
    rules.dtype('dy', dy, 'f32')
    if (bias) {
      rules.match('bias', bias, [H])
      rules.dtype('bias', bias, ...floatDtypes)
    }
    return { out: { dtype: 'f32', shape: [N, H] } }
  },
  scalars: () => [],
  reference: logSigmoidGradRef,
}
