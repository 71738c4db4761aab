import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { lmLossRef } from './lm-loss.ref.ts'

const rules = new ShapeRules('lmLoss')

export type LmLossSlots = { readonly logits: 'in'; readonly teacher: 'optional'; readonly targets: 'in' }

export interface LmLossAttrs {
  /** `forward`: KL(teacher ‖ student), `reverse`: KL(student ‖ teacher). */
  readonly kl: 'forward' | 'reverse'
}

/**
 * Losses of a language model, row by row, in nats: the distance of the softmax of `logits` (the student) from that of
 * `teacher`, and the cross-entropy `−log softmax(logits)[target]`. Sums are taken in f64; a token of probability 0
 * adds nothing.
 * - logits, teacher [N, V] f32, rows may be strided; targets [N] i32, −100 for none
 * - kl [N] f32, zeros without a teacher; ce [N] f32, 0 where the target is −100
 * @throws TRIMKV_TOKEN_RANGE at run time for a target that is neither −100 nor in 0 … V−1
 */
export const lmLoss: Op<LmLossSlots, LmLossAttrs, 'kl' | 'ce'> = {
  name: 'lmLoss',
  source:
    'TRIM-KV (arXiv:2512.03324), distillation and next-token losses; torch.nn.functional.{kl_div, cross_entropy}',
  slots: { logits: 'in', teacher: 'optional', targets: 'in' },
  outputs: ['kl', 'ce'],
  infer({ logits, teacher, targets }) {
    const { N, V } = rules.match<'N' | 'V'>('logits', logits, ['N', 'V'])
    rules.match('targets', targets, [N])
    rules.dtype('logits', logits, 'f32')
    rules.dtype('targets', targets, 'i32')
    if (teacher) {
      rules.match('teacher', teacher, [N, V])
      rules.dtype('teacher', teacher, 'f32')
    }
    rules.shape(V > 0, 'rows are empty')
    return { kl: { dtype: 'f32', shape: [N] }, ce: { dtype: 'f32', shape: [N] } }
  },
  scalars: ({ kl }) => [kl === 'reverse' ? 1 : 0],
  reference: lmLossRef,
}
