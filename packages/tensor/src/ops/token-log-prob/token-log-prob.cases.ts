import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (rows: number, width: number, scale = 1): OpCase<Attrs> => ({
  name: `[${rows}, ${width}] scale ${scale}`,
  inputs: {
    logits: {
      dtype: 'f32',
      shape: [rows, width],
      strided: true,
      fill: (_, random) => scale * random.normal(),
    },
    targets: { dtype: 'i32', shape: [rows], fill: (_, random) => random.int(0, width - 1) },
  },
  attrs: {},
})

export const tokenLogProbCases: OpCases<Attrs> = {
  cases: [at(2, 1), at(0, 5), at(4, 1000), at(3, 77, 80)],
  fuzz: (random) => at(random.int(0, 6), random.int(2, 300), random.int(1, 20)),
}
