import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import type { LmLossAttrs } from '../lm-loss/lm-loss.ts'
import { lmLossGradRef } from './lm-loss-grad.ref.ts'

const rules = new ShapeRules('lmLossGrad')

export type LmLossGradSlots = {
  readonly logits: 'in'
  readonly teacher: 'optional'
  readonly targets: 'in'
  readonly dKl: 'in'
  readonly dCe: 'in'
}

/**
 * Gradient of `lmLoss` by `logits`. With P the softmax of the student and Q that of the teacher:
 * `dCe · (P − [v = target])`, plus `dKl · (P − Q)` (forward) or `dKl · P · (log P/Q − kl)` (reverse).
 * - logits, teacher [N, V] f32, rows may be strided; targets [N] i32, −100 for none; attributes as in `lmLoss`
 * - dKl, dCe [N] f32; a row where both are 0 is not read
 * - out [N, V] f32
 * @throws TRIMKV_TOKEN_RANGE at run time for a target that is neither −100 nor in 0 … V−1
 */
export const lmLossGrad: Op<LmLossGradSlots, LmLossAttrs, 'out'> = {
  name: 'lmLossGrad',
  source: 'derivative of lmLoss by logits',
  slots: { logits: 'in', teacher: 'optional', targets: 'in', dKl: 'in', dCe: 'in' },
  outputs: ['out'],
  infer({ logits, teacher, targets, dKl, dCe }) {
    const { N, V } = rules.match<'N' | 'V'>('logits', logits, ['N', 'V'])
    rules.match('targets', targets, [N])
    rules.match('dKl', dKl, [N])
    rules.match('dCe', dCe, [N])
    rules.dtype('logits', logits, 'f32')
    rules.dtype('targets', targets, 'i32')
    rules.dtype('dKl', dKl, 'f32')
    rules.dtype('dCe', dCe, 'f32')
    if (teacher) {
      rules.match('teacher', teacher, [N, V])
      rules.dtype('teacher', teacher, 'f32')
    }
    rules.shape(V > 0, 'rows are empty')
    return { out: { dtype: 'f32', shape: [N, V] } }
  },
  scalars: ({ kl }) => [kl === 'reverse' ? 1 : 0],
  reference: lmLossGradRef,
}
