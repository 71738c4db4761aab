import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (shape: readonly number[], scale = 1): OpCase<Attrs> => ({
  name: `[${shape.join(', ')}] scale ${scale}`,
  inputs: { x: { dtype: 'f32', shape, fill: (_, random) => scale * random.normal() } },
  attrs: {},
})

export const sumSquaresCases: OpCases<Attrs> = {
  cases: [at([1]), at([]), at([2, 0, 3]), at([3, 5]), at([70_001], 1e-15), at([2, 3, 100], 1e12)],
  fuzz: (random) => at([random.int(0, 4), random.int(1, 900)]),
  bench: [at([2560, 512])],
}
