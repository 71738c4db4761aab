import { fail } from '../../errors.ts'
import type { Gradient } from '../../gradient.ts'
import type { GatedAttentionAttrs, GatedAttentionSlots } from './gated-attention.ts'

/** One pass gives all of them. @throws TRIMKV_UNSUPPORTED when a gradient comes in through `lse` */
export const gatedAttentionGrad: Gradient<GatedAttentionSlots, GatedAttentionAttrs, 'out' | 'lse'> = ({
  ops,
  inputs,
  outputs,
  grads,
  attrs,
  wants,
}) => {
  if (grads.lse || !grads.out) {
    return fail('TRIMKV_UNSUPPORTED', '[gatedAttention] a gradient flows through lse', {
      why: ['lse is there for the backward pass and cannot be differentiated'],
    })
  }
  const made = ops.gatedAttentionGrad({ ...inputs, ...outputs, dout: grads.out }, attrs)
  return { q: made.dq, k: made.dk, v: made.dv, logBeta: wants('logBeta') ? made.dLogBeta : undefined }
}
