import type { Gradient } from '../../gradient.ts'
import type { RmsNormSlots } from './rms-norm.ts'

/** Formulas stand with `rmsNormGradInput` and `rmsNormGradWeight`. */
export const rmsNormGrad: Gradient<RmsNormSlots, { readonly eps: number }, 'out'> = ({
  ops,
  inputs,
  grads: { out: dy },
  attrs,
  wants,
}) => ({
  x: wants('x') ? ops.rmsNormGradInput({ x: inputs.x, weight: inputs.weight, dy }, attrs) : undefined,
  weight: wants('weight') ? ops.rmsNormGradWeight({ x: inputs.x, dy }, attrs) : undefined,
})
