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
import type { SlotScore } from '../../slot-score.ts'

type Attrs = { readonly score: SlotScore }

const at = (layout: SlotLayout, score: SlotScore, columns: 0 | 1 | 2): OpCase<Attrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} ${score.kind} ${columns} columns`,
  inputs: {
    count: countInput(layout),
    slotIndex: slotIndexInput(layout),
    seen: seenInput(layout),
    ...(columns > 0 ? { columnA: columnInput(layout, (_, random) => -Math.exp(random.normal() - 3)) } : {}),
    ...(columns > 1 ? { columnB: columnInput(layout) } : {}),
  },
  attrs: { score },
})

export const slotScoresCases: OpCases<Attrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), { kind: 'recency' }, 0),
    at(edgeLayout(2, 3, 17), { kind: 'decay', ageOffset: 2 }, 1),
    at(edgeLayout(1, 5, 70), { kind: 'decay', ageOffset: 0 }, 2),
    at(edgeLayout(2, 3, 33), { kind: 'column' }, 2),
  ],
  fuzz: (random) => {
    const scores: readonly SlotScore[] = [{ kind: 'column' }, { kind: 'decay', ageOffset: random.int(0, 2) }]
    return at(randomLayout(random, 200), scores[random.int(0, 1)]!, random.next() < 0.5 ? 1 : 2)
  },
}
