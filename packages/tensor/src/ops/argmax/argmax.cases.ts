import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (rows: number, width: number, fill?: (index: number) => number): OpCase<Attrs> => ({
  name: `[${rows}, ${width}]${fill ? ` of ${fill(0)}, …` : ''}`,
  inputs: { x: { dtype: 'f32', shape: [rows, width], strided: true, ...(fill ? { fill } : {}) } },
  attrs: {},
})

export const argmaxCases: OpCases<Attrs> = {
  cases: [
    at(1, 1),
    at(0, 5),
    at(4, 1000),
    at(2, 37, () => 2),
    at(2, 37, () => Number.NaN),
    at(1, 40, (index) => (index % 3 === 0 ? Number.NaN : -index)),
    at(2, 200, (index) => (index % 3 === 0 ? Number.NaN : index % 67)),
    at(1, 9, () => Number.NEGATIVE_INFINITY),
  ],
  fuzz: (random) => at(random.int(0, 5), random.int(1, 200)),
}
