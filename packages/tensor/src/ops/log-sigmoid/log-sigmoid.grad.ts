import type { Gradient } from '../../gradient.ts'
import type { LogSigmoidSlots } from './log-sigmoid.ts'

/** dx = dy · sigmoid(−(x + bias)), dbias = Σ_n dx. */
export const logSigmoidGrad: Gradient<LogSigmoidSlots, Record<never, never>, 'out'> = ({
  ops,
  inputs,
  grads,
  wants,
}) => {
  const dx = ops.logSigmoidGrad({ x: inputs.x, bias: inputs.bias, dy: grads.out })
  return { x: dx, bias: wants('bias') ? ops.sumRows({ x: dx }) : undefined }
}
