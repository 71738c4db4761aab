import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (rows: number, width: number): OpCase<Attrs> => ({
  name: `[${rows}, ${width}]`,
  inputs: {
    gate: { dtype: 'f32', shape: [rows, width], strided: true, fill: (_, random) => 4 * random.normal() },
    up: { dtype: 'f32', shape: [rows, width], strided: true },
    dy: { dtype: 'f32', shape: [rows, width], strided: true },
  },
  attrs: {},
})

export const swigluGradCases: OpCases<Attrs> = {
  cases: [at(1, 1), at(0, 4), at(3, 100), at(900, 20)],
  fuzz: (random) => at(random.int(0, 6), random.int(1, 200)),
  bench: [at(512, 3072)],
}
