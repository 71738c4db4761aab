import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (outer: readonly [number, number], left: number, right: number): OpCase<Attrs> => ({
  name: `[${outer.join(', ')}, ${left} | ${right}]`,
  inputs: {
    a: { dtype: 'f32', shape: [...outer, left], strided: true },
    b: { dtype: 'f32', shape: [...outer, right], strided: true },
  },
  attrs: {},
})

export const concatLastCases: OpCases<Attrs> = {
  cases: [at([1, 1], 1, 1), at([0, 2], 4, 4), at([3, 2], 16, 16), at([2, 3], 5, 0)],
  fuzz: (random) => at([random.int(0, 5), random.int(1, 4)], random.int(0, 40), random.int(1, 40)),
}
