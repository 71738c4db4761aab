import type { Gradient } from '../../gradient.ts'
import type { LinearSlots } from './linear.ts'

/** dx = dy · W, dW = dyᵀ · x, dbias = Σ_n dy, dresidual = dy. */
export const linearGrad: Gradient<LinearSlots, Record<never, never>, 'out'> = ({
  ops,
  inputs,
  grads: { out: dy },
  wants,
}) => ({
  x: wants('x') ? ops.linearGradInput({ dy, weight: inputs.weight }) : undefined,
  weight: wants('weight') ? ops.linearGradWeight({ dy, x: inputs.x }) : undefined,
  bias: wants('bias') ? ops.sumRows({ x: dy }) : undefined,
  residual: dy,
})
