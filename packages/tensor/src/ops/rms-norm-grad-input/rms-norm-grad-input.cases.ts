import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = { readonly eps: number }

// What remains of dy in a short row may be far smaller than dy (eps · dy at width 1), and f32 rounds before it cancels.
const at = (rows: number, width: number, weight: 'f32' | 'bf16' | 'f16' | 'f8' = 'f32'): OpCase<Attrs> => ({
  name: `[${rows}, ${width}] weight ${weight}`,
  inputs: {
    x: { dtype: 'f32', shape: [rows, width], strided: true },
    weight: { dtype: weight, shape: [width] },
    dy: { dtype: 'f32', shape: [rows, width], strided: true },
  },
  attrs: { eps: width < 8 ? 0.1 : 1e-6 },
  ...(width < 8 ? { tolerance: 1e-4 } : {}),
})

export const rmsNormGradInputCases: OpCases<Attrs> = {
  cases: [at(1, 1), at(0, 8), at(3, 64), at(700, 32), at(2, 1024, 'bf16'), at(5, 33, 'f16')],
  fuzz: (random) =>
    at(random.int(0, 9), random.int(1, 300), (['f32', 'bf16', 'f16', 'f8'] as const)[random.int(0, 3)]!),
  bench: [at(4096, 32), at(4096, 256)],
}
