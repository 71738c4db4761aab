import type { OpCase, OpCases } from '../../op-case.ts'
import { countInput, edgeLayout, keptInput, randomLayout, type SlotLayout } from '../../slot-case-inputs.ts'

type Attrs = Record<never, never>

const at = (layout: SlotLayout, budget: number): OpCase<Attrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} budget ${budget}`,
  inputs: { kept: keptInput(layout, budget), count: countInput(layout) },
  attrs: {},
})

export const countKeptCases: OpCases<Attrs> = {
  cases: [at(edgeLayout(1, 1, 1), 1), at(edgeLayout(2, 5, 30), 12), at(edgeLayout(2, 5, 8), 20)],
  fuzz: (random) => at(randomLayout(random, 60), random.int(1, 70)),
}
