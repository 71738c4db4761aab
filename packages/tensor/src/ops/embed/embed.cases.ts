import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (
  vocabulary: number,
  width: number,
  count: number,
  dtype: 'f32' | 'bf16' | 'f16' = 'f32',
): OpCase<Attrs> => ({
  name: `${count} ids of [${vocabulary}, ${width}] ${dtype}`,
  inputs: {
    table: { dtype, shape: [vocabulary, width] },
    ids: { dtype: 'i32', shape: [count], fill: (_, random) => random.int(0, vocabulary - 1) },
  },
  attrs: {},
})

export const embedCases: OpCases<Attrs> = {
  cases: [at(1, 1, 1), at(5, 7, 0), at(9, 64, 4, 'bf16'), at(3, 33, 6, 'f16')],
  fuzz: (random) =>
    at(
      random.int(1, 50),
      random.int(1, 90),
      random.int(0, 20),
      (['f32', 'bf16', 'f16'] as const)[random.int(0, 2)]!,
    ),
}
