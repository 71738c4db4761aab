import type { OpCase, OpCases } from '../../op-case.ts'
import type { RingTokensAttrs } from './ring-tokens.ts'

/** Sequences that have read fewer tokens than the window, as many, and more. */
const at = (seen: readonly number[], attrs: RingTokensAttrs): OpCase<RingTokensAttrs> => ({
  name: `seen ${seen.join(', ')}, window ${attrs.window} from ${attrs.first}`,
  inputs: { seen: { dtype: 'i32', shape: [seen.length], fill: (i) => seen[i]!, strided: 0 } },
  attrs,
})

export const ringTokensCases: OpCases<RingTokensAttrs> = {
  cases: [
    at([], { window: 3, first: 0 }),
    at([1], { window: 1, first: 0 }),
    at([0, 3, 8, 9, 1000], { window: 8, first: 0 }),
    at([5, 77], { window: 20, first: 31 }),
  ],
  fuzz: (random) =>
    at(
      Array.from({ length: random.int(0, 4) }, () => random.int(0, 90)),
      { window: random.int(1, 40), first: random.int(0, 9) },
    ),
}
