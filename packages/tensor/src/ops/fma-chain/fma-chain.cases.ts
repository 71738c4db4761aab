import type { OpCase, OpCases } from '../../op-case.ts'
import type { FmaChainAttrs } from './fma-chain.ts'

const at = (size: number, attrs: FmaChainAttrs): OpCase<FmaChainAttrs> => ({
  name: `[${size}] ${attrs.rounds} × ${attrs.factor}·x + ${attrs.term}`,
  inputs: { x: { dtype: 'f32', shape: [size] } },
  attrs,
})

export const fmaChainCases: OpCases<FmaChainAttrs> = {
  cases: [
    at(1, { factor: 2, term: -1, rounds: 3 }),
    at(0, { factor: 1, term: 1, rounds: 5 }),
    at(193, { factor: -0.5, term: 1, rounds: 0 }),
    at(500, { factor: 0.5, term: 1, rounds: 30 }),
  ],
  // Factors below 1 keep the rounding of early rounds from growing.
  fuzz: (random) =>
    at(random.int(0, 500), {
      factor: 0.9 * (2 * random.next() - 1),
      term: random.normal(),
      rounds: random.int(0, 40),
    }),
  bench: [at(3072, { factor: 0.5, term: 1, rounds: 100_000 })],
}
