import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = { readonly eps: number }

const at = (rows: number, width: number, weight: 'f32' | 'bf16' | 'f16' | 'f8' = 'f32'): OpCase<Attrs> => ({
  name: `[${rows}, ${width}] weight ${weight}`,
  inputs: {
    x: { dtype: 'f32', shape: [rows, width], strided: true },
    weight: { dtype: weight, shape: [width] },
  },
  attrs: { eps: 1e-6 },
})

export const rmsNormCases: OpCases<Attrs> = {
  cases: [at(1, 1), at(0, 8), at(3, 64), at(2, 1024, 'bf16'), at(5, 33, 'f16')],
  fuzz: (random) =>
    at(random.int(0, 9), random.int(1, 300), (['f32', 'bf16', 'f16', 'f8'] as const)[random.int(0, 3)]!),
  bench: [at(1, 2560), at(512, 2560)],
}
