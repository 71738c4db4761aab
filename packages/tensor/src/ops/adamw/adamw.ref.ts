import type { RefArray } from '../../op.ts'
import type { AdamwAttrs } from './adamw.ts'

type Name = 'param' | 'm' | 'v' | 'grad' | 'control'

export function adamwRef(
  { param, m, v, grad, control }: { readonly [K in Name]: RefArray },
  _: Record<never, never>,
  { beta1, beta2, eps, weightDecay }: AdamwAttrs,
): void {
  const [rate, gradScale, correction1, correction2] = control.data as unknown as [
    number,
    number,
    number,
    number,
  ]
  for (let i = 0; i < param.data.length; i++) {
    const g = gradScale * grad.data[i]!
    const mean = beta1 * m.data[i]! + (1 - beta1) * g
    const square = beta2 * v.data[i]! + (1 - beta2) * g * g
    m.data[i] = mean
    v.data[i] = square
    const decayed = param.data[i]! - rate * weightDecay * param.data[i]!
    param.data[i] = decayed - (rate * (mean / correction1)) / (Math.sqrt(square / correction2) + eps)
  }
}
