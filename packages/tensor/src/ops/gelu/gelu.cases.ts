import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (rows: number, width: number, scale = 1): OpCase<Attrs> => ({
  name: `[${rows}, ${width}] scale ${scale}`,
  inputs: {
    x: { dtype: 'f32', shape: [rows, width], strided: true, fill: (_, random) => scale * random.normal() },
  },
  attrs: {},
})

export const geluCases: OpCases<Attrs> = {
  cases: [at(1, 1), at(0, 4), at(3, 100), at(2, 65, 20)],
  fuzz: (random) => at(random.int(0, 6), random.int(1, 200), random.int(1, 10)),
}
