import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (
  rows: number,
  heads: number,
  options: { bias?: 'f32' | 'bf16' | 'f16' | 'f8'; scale?: number } = {},
): OpCase<Attrs> => ({
  name: `[${rows}, ${heads}]${options.bias ? ` + ${options.bias}` : ''} scale ${options.scale ?? 1}`,
  inputs: {
    x: {
      dtype: 'f32',
      shape: [rows, heads],
      strided: true,
      fill: (_, random) => (options.scale ?? 1) * random.normal(),
    },
    ...(options.bias ? { bias: { dtype: options.bias, shape: [heads], fill: () => 18 } } : {}),
    dy: { dtype: 'f32', shape: [rows, heads], strided: true },
  },
  attrs: {},
})

const biases = ['f32', 'bf16', 'f16', 'f8', undefined] as const

export const logSigmoidGradCases: OpCases<Attrs> = {
  cases: [
    at(1, 1),
    at(0, 3),
    at(5, 8, { scale: 30 }),
    at(4, 3, { bias: 'f32' }),
    at(4, 2, { bias: 'bf16' }),
    at(3, 20, { bias: 'f16', scale: 4 }),
  ],
  fuzz: (random) => {
    const bias = biases[random.int(0, 4)]
    return at(random.int(0, 9), random.int(1, 17), { scale: random.int(1, 40), ...(bias ? { bias } : {}) })
  },
  bench: [at(8192, 8, { bias: 'f32' })],
}
