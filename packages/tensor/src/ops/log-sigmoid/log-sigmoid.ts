import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { logSigmoidRef } from './log-sigmoid.ref.ts'

const rules = new ShapeRules('logSigmoid')

export type LogSigmoidSlots = { readonly x: 'in'; readonly bias: 'optional' }

/**
 * `log(sigmoid(x + bias))`, exact to f32 rounding for large |x|: the log retention of a gate.
 * - x [N, H] f32, rows may be strided; bias [H] f32 | bf16 | f16 | f8
 * - out [N, H] f32, ≤ 0
 */
export const logSigmoid: Op<LogSigmoidSlots, Record<never, never>, 'out'> = {
  name: 'logSigmoid',
  source: 'TRIM-KV (arXiv:2512.03324), retention gate; torch.nn.functional.logsigmoid',
  slots: { x: 'in', bias: 'optional' },
  outputs: ['out'],
  infer({ x, bias }) {
    const { N, H } = rules.match<'N' | 'H'>('x', x, ['N', 'H'])
    rules.dtype('x', x, 'f32')
    if (bias) {
      rules.match('bias', bias, [H])
      rules.dtype('bias', bias, ...floatDtypes)
    }
    return { out: { dtype: 'f32', shape: [N, H] } }
  },
  scalars: () => [],
  reference: logSigmoidRef,
}
