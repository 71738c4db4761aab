import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = { readonly eps: number }

const at = (rows: number, width: number): OpCase<Attrs> => ({
  name: `[${rows}, ${width}]`,
  inputs: {
    x: { dtype: 'f32', shape: [rows, width], strided: true },
    dy: { dtype: 'f32', shape: [rows, width], strided: true },
  },
  attrs: { eps: 1e-6 },
})

export const rmsNormGradWeightCases: OpCases<Attrs> = {
  cases: [at(1, 1), at(0, 8), at(3, 64), at(1500, 33), at(40, 1024), at(2, 40_000)],
  fuzz: (random) => at(random.int(0, 9) * random.int(1, 60), random.int(1, 300)),
  bench: [at(65_536, 32), at(8192, 256)],
}
