import type { OpCase, OpCases } from '../../op-case.ts'
import type { AdamwAttrs } from './adamw.ts'

interface Step {
  readonly step: number
  readonly rate?: number
  readonly gradScale?: number
  readonly weightDecay?: number
}

const at = (shape: readonly number[], options: Step): OpCase<AdamwAttrs> => {
  const { step, rate = 0.01, gradScale = 1, weightDecay = 0.1 } = options
  const attrs = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay }
  const control = [rate, gradScale, 1 - attrs.beta1 ** step, 1 - attrs.beta2 ** step]
  return {
    name: `[${shape.join(', ')}] step ${step} rate ${rate} scale ${gradScale} decay ${weightDecay}`,
    inputs: {
      param: { dtype: 'f32', shape },
      m: { dtype: 'f32', shape, fill: (_, random) => (step === 1 ? 0 : random.normal()) },
      v: { dtype: 'f32', shape, fill: (_, random) => (step === 1 ? 0 : random.normal() ** 2) },
      grad: { dtype: 'f32', shape },
      control: { dtype: 'f32', shape: [4], fill: (i) => control[i]! },
    },
    attrs,
  }
}

export const adamwCases: OpCases<AdamwAttrs> = {
  cases: [
    at([1], { step: 1 }),
    at([], { step: 2 }),
    at([3, 0, 2], { step: 1 }),
    at([7, 11], { step: 1, weightDecay: 0 }),
    at([2, 3, 100], { step: 10, gradScale: 0.25 }),
    at([40_000], { step: 1000, rate: 2e-4 }),
  ],
  fuzz: (random) =>
    at([random.int(0, 5), random.int(1, 70)], {
      step: random.int(1, 50),
      rate: random.next(),
      gradScale: random.next(),
      weightDecay: random.next(),
    }),
  bench: [at([2560, 512], { step: 10 })],
}
