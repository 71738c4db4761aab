import type { DType } from '../../dtype.ts'
import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

interface Sizes {
  readonly v: readonly [B: number, C: number, H: number, D: number]
  readonly G: number
  readonly E: number
  readonly dtype: DType
}

const at = ({ v, G, E, dtype }: Sizes): OpCase<Attrs> => ({
  name: `[${v.join(', ')}] G${G} E${E} ${dtype}`,
  inputs: {
    v: { dtype: 'f32', shape: v, strided: 3 },
    weight: { dtype, shape: [E, v[2] * G * v[3]], strided: 1 },
  },
  attrs: {},
})

export const projectedNormCases: OpCases<Attrs> = {
  cases: [
    at({ v: [1, 1, 1, 1], G: 1, E: 1, dtype: 'f32' }),
    at({ v: [2, 0, 2, 8], G: 2, E: 16, dtype: 'f32' }),
    at({ v: [2, 19, 2, 16], G: 3, E: 70, dtype: 'bf16' }),
    at({ v: [1, 5, 3, 40], G: 1, E: 130, dtype: 'f16' }),
  ],
  fuzz: (random) =>
    at({
      v: [random.int(1, 2), random.int(0, 20), random.int(1, 3), random.int(1, 40)],
      G: random.int(1, 4),
      E: random.int(1, 150),
      dtype: (['f32', 'bf16', 'f16'] as const)[random.int(0, 2)]!,
    }),
  bench: [at({ v: [1, 512, 8, 128], G: 4, E: 2560, dtype: 'bf16' })],
}
