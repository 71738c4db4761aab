import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { adamwRef } from './adamw.ref.ts'

const rules = new ShapeRules('adamw')

export type AdamwSlots = {
  readonly param: 'inout'
  readonly m: 'inout'
  readonly v: 'inout'
  readonly grad: 'in'
  readonly control: 'in'
}

export interface AdamwAttrs {
  readonly beta1: number
  readonly beta2: number
  readonly eps: number
  readonly weightDecay: number
}

/**
 * One step of AdamW with decoupled decay. With g = gradScale · grad:
 * `m = β1·m + (1−β1)·g`, `v = β2·v + (1−β2)·g²`, `param −= lr·weightDecay·param`,
 * `param −= lr · (m / correction1) / (sqrt(v / correction2) + eps)`.
 * - param, m, v, grad f32 of one shape, contiguous
 * - control [4] f32, read at run time: lr, gradScale, correction1 = 1−β1^step, correction2 = 1−β2^step (steps from 1)
 */
export const adamw: Op<AdamwSlots, AdamwAttrs, never> = {
  name: 'adamw',
  source: 'Loshchilov & Hutter 2019 (arXiv:1711.05101), Algorithm 2; torch.optim.AdamW',
  slots: { param: 'inout', m: 'inout', v: 'inout', grad: 'in', control: 'in' },
  outputs: [],
  infer({ param, m, v, grad, control }, { beta1, beta2, eps, weightDecay }) {
    for (const [name, spec] of Object.entries({ param, m, v, grad })) {
      rules.match(name, spec, param.shape)
      rules.dtype(name, spec, 'f32')
    }
    rules.match('control', control, [4])
    rules.dtype('control', control, 'f32')
    for (const [name, beta] of Object.entries({ beta1, beta2 })) {
      rules.option(beta >= 0 && beta < 1, `${name} must be in [0, 1), got ${beta}`)
    }
    rules.option(eps > 0 && Number.isFinite(eps), `eps must be a positive number, got ${eps}`)
    rules.option(
      weightDecay >= 0 && Number.isFinite(weightDecay),
      `weightDecay must be a number from 0, got ${weightDecay}`,
    )
    return {}
  },
  scalars: ({ beta1, beta2, eps, weightDecay }) => [beta1, beta2, eps, weightDecay],
  reference: adamwRef,
  cost({ param }) {
    const count = param.shape.reduce((a, b) => a * b, 1)
    return { flops: 14 * count, bytes: 28 * count }
  },
}
