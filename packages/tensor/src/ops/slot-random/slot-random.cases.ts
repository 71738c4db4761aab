import type { OpCase, OpCases } from '../../op-case.ts'
import type { SlotRandomAttrs } from './slot-random.ts'

const at = (B: number, C: number, attrs: SlotRandomAttrs): OpCase<SlotRandomAttrs> => ({
  name: `B${B} C${C} seed ${attrs.seed} layer ${attrs.layer} heads ${attrs.heads}`,
  inputs: { index: { dtype: 'i32', shape: [B, C], fill: (i) => i * 1_000_003 } },
  attrs,
  // Integers until the last exact division: bits must agree.
  tolerance: 0,
})

export const slotRandomCases: OpCases<SlotRandomAttrs> = {
  cases: [
    at(1, 1, { seed: 0, layer: 0, heads: 1 }),
    at(2, 9, { seed: 4294967295, layer: 35, heads: 8 }),
    at(1, 0, { seed: 1, layer: 1, heads: 2 }),
  ],
  fuzz: (random) =>
    at(random.int(1, 3), random.int(0, 50), {
      seed: random.int(0, 2 ** 32 - 1),
      layer: random.int(0, 40),
      heads: random.int(1, 9),
    }),
}
