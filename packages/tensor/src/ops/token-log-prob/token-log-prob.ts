import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { tokenLogProbRef } from './token-log-prob.ref.ts'

const rules = new ShapeRules('tokenLogProb')

export type TokenLogProbSlots = { readonly logits: 'in'; readonly targets: 'in' }

/**
 * Log-probability (natural logarithm) of one token per row of logits; sums are taken in f64.
 * - logits [N, V] f32, rows may be strided; targets [N] i32
 * - out [N] f32
 * @throws TRIMKV_TOKEN_RANGE at run time for a target outside 0 … V−1
 */
export const tokenLogProb: Op<TokenLogProbSlots, Record<never, never>, 'out'> = {
  name: 'tokenLogProb',
  source: 'torch.nn.functional.cross_entropy, negated, reduction none',
  slots: { logits: 'in', targets: 'in' },
  outputs: ['out'],
  infer({ logits, targets }) {
    const { N, V } = rules.match<'N' | 'V'>('logits', logits, ['N', 'V'])
    rules.match('targets', targets, [N])
    rules.dtype('logits', logits, 'f32')
    rules.dtype('targets', targets, 'i32')
    rules.shape(V > 0, 'rows are empty')
    return { out: { dtype: 'f32', shape: [N] } }
  },
  scalars: () => [],
  reference: tokenLogProbRef,
}
