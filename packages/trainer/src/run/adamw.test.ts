import { createDevice, type Device } from '@trimkv/tensor'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Parameter } from '../trainable.ts'
import { AdamW } from './adamw.ts'
import { resolveTrainOptions, type TrainOptions } from './train-options.ts'

let device: Device
beforeAll(() => {
  device = createDevice({ threads: 2 })
})
afterAll(() => device[Symbol.dispose]())

const parameter = (
  name: string,
  values: readonly number[],
  rest: { shape: number[]; decay: boolean },
): Parameter => ({
  name,
  tensor: device.tensor(values, { dtype: 'f32', shape: rest.shape }),
  gradient: device.zeros({ dtype: 'f32', shape: rest.shape }),
  decay: rest.decay,
})

const twoParameters = (): [Parameter, Parameter] => [
  parameter('a', [1, -2, 0.5], { shape: [3], decay: true }),
  parameter('b', [0.25, -4], { shape: [2, 1], decay: false }),
]

const options = (more: Partial<TrainOptions> = {}): ReturnType<typeof resolveTrainOptions> =>
  resolveTrainOptions({
    steps: 10,
    learningRate: { peak: 0.1, decay: { kind: 'constant' } },
    checkpointEvery: 1,
    seed: 0,
    ...more,
  })

describe('AdamW', () => {
  // torch 1.13 in f64: AdamW([{a, weight_decay 0.1}, {b, 0}], betas=(0.8, 0.95), eps=1e-6), the learning rate set
  // before each step, clip_grad_norm_([a, b], 1.5) on the gradients below.
  const steps = [
    {
      learningRate: 0.05,
      gradients: [
        [0.1, -0.2, 3],
        [0.5, -0.25],
      ],
      norm: 3.0598202561588486,
      a: [0.9450010199196136, -1.940000509965008, 0.4475000339979908],
      b: [0.20000020398725152, -3.950000407972839],
    },
    {
      learningRate: 0.1,
      gradients: [
        [-0.4, 0.3, 0],
        [0.125, 1e-3],
      ],
      norm: 0.5153891733437946,
      a: [1.0050296984940028, -1.9751932401027104, 0.3793495046306253],
      b: [0.10761577203281167, -3.886977215109449],
    },
    {
      learningRate: 0.02,
      gradients: [
        [2, -1, 0.75],
        [-0.5, 4],
      ],
      norm: 4.6703854230673505,
      a: [0.9965152688196285, -1.9667576430515763, 0.3670480357090348],
      b: [0.10328780125137203, -3.8999312319702693],
    },
  ]

  it('updates as torch.optim.AdamW behind clip_grad_norm_ does', async () => {
    const [a, b] = twoParameters()
    using optimiser = new AdamW(
      device,
      [a, b],
      options({ betas: [0.8, 0.95], eps: 1e-6, weightDecay: 0.1, clipNorm: 1.5 }),
    )
    for (const [index, { learningRate, gradients, norm, ...expected }] of steps.entries()) {
      a.gradient.write(gradients[0]!)
      b.gradient.write(gradients[1]!)
      expect(await optimiser.step({ step: index + 1, learningRate })).toBeCloseTo(norm, 5)
      for (const [i, value] of a.tensor.read().entries()) expect(value).toBeCloseTo(expected.a[i]!, 6)
      for (const [i, value] of b.tensor.read().entries()) expect(value).toBeCloseTo(expected.b[i]!, 6)
    }
  })

  it('changes nothing when a gradient or a weight is not finite, and names it', async () => {
    const broken = [
      { place: 'gradient', value: Number.NaN, what: /step 1: the gradient of b is not finite/ },
      { place: 'gradient', value: Number.NEGATIVE_INFINITY, what: /the gradient of b is not finite/ },
      { place: 'tensor', value: Number.POSITIVE_INFINITY, what: /the weight b is not finite/ },
    ] as const
    for (const { place, value, what } of broken) {
      const [a, b] = twoParameters()
      using optimiser = new AdamW(device, [a, b], options())
      a.gradient.write([1, 1, 1])
      b[place].write([0.5, value])
      const step = optimiser.step({ step: 1, learningRate: 0.1 })
      await expect(step).rejects.toMatchObject({
        code: 'TRIMKV_DIVERGED',
        message: expect.stringMatching(what),
      })
      expect([...a.tensor.read()]).toEqual([1, -2, 0.5])
      expect([...optimiser.moments[0]!.first.read()]).toEqual([0, 0, 0])
    }
  })
})
