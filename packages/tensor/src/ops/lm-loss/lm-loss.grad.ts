import type { Gradient } from '../../gradient.ts'
import type { LmLossAttrs, LmLossSlots } from './lm-loss.ts'

/** To the logits of the student alone: a teacher is not trained. */
export const lmLossGrad: Gradient<LmLossSlots, LmLossAttrs, 'kl' | 'ce'> = ({
  ops,
  inputs,
  grads,
  attrs,
  wants,
}) => {
  const rows = inputs.targets.shape
  const given = (grad: typeof grads.kl): NonNullable<typeof grad> =>
    grad ?? ops.zeros({ dtype: 'f32', shape: rows })
  return {
    logits: wants('logits')
      ? ops.lmLossGrad({ ...inputs, dKl: given(grads.kl), dCe: given(grads.ce) }, attrs)
      : undefined,
  }
}
