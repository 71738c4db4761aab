import type { DType } from '../../dtype.ts'
import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

interface Sizes {
  readonly v: readonly [B: number, C: number, H: number, D: number]
  readonly G: number
  readonly E: number
  readonly dtype: DType
}

const floats = ['f32', 'bf16', 'f16', 'f8'] as const

const at = ({ v, G, E, dtype }: Sizes): OpCase<Attrs> => ({
  name: `[${v.join(', ')}] G${G} E${E} ${dtype}`,
  inputs: {
    v: { dtype: 'f32', shape: v, strided: 3 },
    weight: { dtype, shape: [E, v[2] * G * v[3]], ...(dtype[0] !== 'q' && { strided: 1 }) },
  },
  attrs: {},
})

export const projectedNormCases: OpCases<Attrs> = {
  cases: [
    at({ v: [1, 1, 1, 1], G: 1, E: 1, dtype: 'f32' }),
    at({ v: [2, 0, 2, 8], G: 2, E: 16, dtype: 'f32' }),
    at({ v: [2, 19, 2, 16], G: 3, E: 70, dtype: 'bf16' }),
    at({ v: [1, 5, 3, 40], G: 1, E: 130, dtype: 'f16' }),
    at({ v: [1, 3, 1, 8], G: 1, E: 9, dtype: 'f8' }),
    at({ v: [1, 0, 1, 32], G: 1, E: 16, dtype: 'q8' }),
    at({ v: [1, 1, 1, 32], G: 1, E: 1, dtype: 'q4' }),
    at({ v: [2, 29, 2, 64], G: 3, E: 70, dtype: 'q8' }),
    // Heads that begin inside a block, and blocks that reach over three of them.
    at({ v: [1, 5, 4, 40], G: 2, E: 33, dtype: 'q4' }),
    at({ v: [1, 25, 16, 10], G: 1, E: 17, dtype: 'q8' }),
  ],
  fuzz(random) {
    const packed = random.next() < 0.4
    const D = random.int(1, 40)
    return at({
      v: [random.int(1, 2), random.int(0, 30), random.int(1, 3), packed ? 4 * D : D],
      G: packed ? 8 : random.int(1, 4),
      E: random.int(1, packed ? 40 : 150),
      dtype: packed ? (['q8', 'q4'] as const)[random.int(0, 1)]! : floats[random.int(0, 3)]!,
    })
  },
  bench: (['bf16', 'q8', 'q4'] as const).flatMap((dtype) =>
    [1, 512].map((C) => at({ v: [1, C, 8, 128], G: 4, E: 2560, dtype })),
  ),
}
