import type { DType } from '../../dtype.ts'
import type { OpCase, OpCases } from '../../op-case.ts'
import {
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  slotRowsInput,
} from '../../slot-case-inputs.ts'

type Attrs = Record<never, never>

const at = (layout: SlotLayout, D: number, dtype: DType): OpCase<Attrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} D${D} ${dtype}`,
  inputs: { keys: slotRowsInput(layout, D, dtype), count: countInput(layout) },
  attrs: {},
})

export const keyDiffCases: OpCases<Attrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), 1, 'f32'),
    at(edgeLayout(2, 3, 40), 64, 'bf16'),
    at(edgeLayout(1, 5, 17), 33, 'f16'),
  ],
  fuzz: (random) =>
    at(
      randomLayout(random, 90),
      random.int(1, 100),
      (['f32', 'bf16', 'f16', 'f8'] as const)[random.int(0, 3)]!,
    ),
}
