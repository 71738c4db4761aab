import type { OpCase, OpCases } from '../../op-case.ts'
import type { AccumulateAttrs } from './accumulate.ts'

const at = (shape: readonly number[], attrs: AccumulateAttrs): OpCase<AccumulateAttrs> => {
  const strided = Math.max(0, shape.length - 1)
  const old = attrs.keep === 0 ? { fill: () => Number.NaN } : {}
  return {
    name: `[${shape.join(', ')}] ${attrs.keep}·into + ${attrs.scale}·x`,
    inputs: { into: { dtype: 'f32', shape, strided, ...old }, x: { dtype: 'f32', shape, strided } },
    attrs,
  }
}

export const accumulateCases: OpCases<AccumulateAttrs> = {
  cases: [
    at([1], { keep: 1, scale: 1 }),
    at([], { keep: 2, scale: -1 }),
    at([2, 0, 3], { keep: 1, scale: 1 }),
    at([3, 70], { keep: 0, scale: 0.5 }),
    at([2, 3, 4, 33], { keep: 0.9, scale: 0.1 }),
    at([40_000], { keep: 1, scale: 0.25 }),
  ],
  fuzz: (random) =>
    at(
      Array.from({ length: random.int(1, 4) }, () => random.int(0, 9)),
      { keep: random.int(0, 2), scale: random.normal() },
    ),
  bench: [at([2560, 512], { keep: 1, scale: 1 })],
}
