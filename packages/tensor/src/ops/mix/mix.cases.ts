import type { OpCase, OpCases } from '../../op-case.ts'
import type { MixAttrs } from './mix.ts'

const at = (shape: readonly number[], attrs: MixAttrs): OpCase<MixAttrs> => ({
  name: `[${shape.join(', ')}] ${attrs.a}·a + ${attrs.b}·b`,
  inputs: { a: { dtype: 'f32', shape }, b: { dtype: 'f32', shape } },
  attrs,
})

export const mixCases: OpCases<MixAttrs> = {
  cases: [at([1], { a: 1, b: 1 }), at([2, 0, 3], { a: 1, b: 2 }), at([2, 3, 100], { a: 0.1, b: -0.9 })],
  fuzz: (random) =>
    at([random.int(0, 3), random.int(1, 4), random.int(1, 90)], { a: random.normal(), b: random.normal() }),
}
