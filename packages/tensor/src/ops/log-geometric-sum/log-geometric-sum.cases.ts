import type { CaseRandom, OpCase, OpCases } from '../../op-case.ts'

type Attrs = { readonly terms: number }

/** From gates that forget at once to gates that never do. */
const logRatio = (i: number, random: CaseRandom): number =>
  i % 7 === 3 ? 0 : -(10 ** (random.next() * 11 - 9))

const at = (shape: readonly number[], terms: number): OpCase<Attrs> => ({
  name: `[${shape.join(', ')}] ${terms} terms`,
  inputs: { x: { dtype: 'f32', shape, fill: logRatio } },
  attrs: { terms },
})

export const logGeometricSumCases: OpCases<Attrs> = {
  cases: [at([1, 1, 1], 2), at([2, 0, 3], 2), at([2, 9, 4], 1), at([2, 5, 3], 2), at([1, 40, 8], 512)],
  fuzz: (random) => at([random.int(1, 3), random.int(0, 9), random.int(1, 9)], random.int(1, 40)),
}
