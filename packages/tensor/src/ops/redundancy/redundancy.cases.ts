import type { DType } from '../../dtype.ts'
import type { OpCase, OpCases } from '../../op-case.ts'
import {
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  slotRowsInput,
} from '../../slot-case-inputs.ts'

type Attrs = { readonly threshold: number }

/** Keys in families: each row is close to one of three directions, so that near duplicates exist. */
function at(
  layout: SlotLayout,
  D: number,
  { dtype, threshold }: { dtype: DType; threshold: number },
): OpCase<Attrs> {
  const family = (i: number): number => Math.cos(1.7 * (i % D) + 2.1 * ((Math.floor(i / D) * 5) % 3))
  return {
    name: `B${layout.B} H${layout.H} cap${layout.cap} D${D} ${dtype} threshold ${threshold}`,
    inputs: {
      keys: { ...slotRowsInput(layout, D, dtype), fill: (i, random) => family(i) + 0.3 * random.normal() },
      count: countInput(layout),
    },
    attrs: { threshold },
  }
}

export const redundancyCases: OpCases<Attrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), 1, { dtype: 'f32', threshold: 0.5 }),
    at(edgeLayout(2, 3, 40), 64, { dtype: 'bf16', threshold: 0.5 }),
    at(edgeLayout(1, 5, 66), 17, { dtype: 'f16', threshold: 0.9 }),
    at(edgeLayout(1, 5, 20), 8, { dtype: 'f32', threshold: 2 }),
  ],
  fuzz: (random) =>
    at(randomLayout(random, 80), random.int(2, 100), {
      dtype: (['f32', 'bf16', 'f16', 'f8'] as const)[random.int(0, 3)]!,
      threshold: 0.5,
    }),
  bench: [
    at({ B: 1, H: 8, cap: 1152, counts: new Array(8).fill(1152), order: 'ascending' }, 128, {
      dtype: 'bf16',
      threshold: 0.5,
    }),
  ],
}
