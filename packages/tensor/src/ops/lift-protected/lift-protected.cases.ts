import type { OpCase, OpCases } from '../../op-case.ts'
import {
  columnInput,
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  seenInput,
  slotIndexInput,
} from '../../slot-case-inputs.ts'
import type { ProtectedRange } from '../../slot-score.ts'

const at = (layout: SlotLayout, attrs: ProtectedRange): OpCase<ProtectedRange> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} first ${attrs.first} last ${attrs.last}`,
  inputs: {
    scores: columnInput(layout),
    slotIndex: slotIndexInput(layout),
    count: countInput(layout),
    seen: seenInput(layout),
  },
  attrs,
})

export const liftProtectedCases: OpCases<ProtectedRange> = {
  cases: [
    at(edgeLayout(1, 1, 1), { first: 0, last: 0 }),
    at(edgeLayout(2, 3, 20), { first: 4, last: 8 }),
    at(edgeLayout(2, 3, 20), { first: 0, last: 1000 }),
  ],
  fuzz: (random) => at(randomLayout(random, 60), { first: random.int(0, 5), last: random.int(0, 40) }),
}
