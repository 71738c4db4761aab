import type { DType } from '../../dtype.ts'
import type { OpCase, OpCases } from '../../op-case.ts'
import {
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  slotRowsInput,
} from '../../slot-case-inputs.ts'
import type { LagScoresAttrs } from './lag-scores.ts'

const at = (
  layout: SlotLayout,
  { D, dtype }: { readonly D: number; readonly dtype: DType },
  attrs: LagScoresAttrs,
): OpCase<LagScoresAttrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} D${D} ${dtype} sinks ${attrs.sinks} partitions of ${attrs.partition}${attrs.cross ? ' cross' : ''}`,
  inputs: {
    keys: slotRowsInput(layout, D, dtype),
    values: slotRowsInput(layout, D, dtype),
    count: countInput(layout),
  },
  attrs,
})

export const lagScoresCases: OpCases<LagScoresAttrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), { D: 2, dtype: 'f32' }, { sinks: 0, partition: 1, cross: false }),
    at(edgeLayout(2, 3, 70), { D: 16, dtype: 'f32' }, { sinks: 4, partition: 16, cross: false }),
    at(edgeLayout(2, 3, 70), { D: 40, dtype: 'bf16' }, { sinks: 4, partition: 9, cross: true }),
    at(edgeLayout(1, 4, 33), { D: 16, dtype: 'f16' }, { sinks: 50, partition: 4, cross: true }),
  ],
  fuzz: (random) =>
    at(
      randomLayout(random, 120),
      { D: random.int(2, 50), dtype: (['f32', 'bf16', 'f16'] as const)[random.int(0, 2)]! },
      { sinks: random.int(0, 6), partition: random.int(1, 30), cross: true },
    ),
}
