import type { OpCase, OpCases } from '../../op-case.ts'
import {
  columnInput,
  countInput,
  edgeLayout,
  keptInput,
  randomLayout,
  type SlotLayout,
} from '../../slot-case-inputs.ts'
import type { WeighScoresAttrs } from './weigh-scores.ts'

/** `chosen`: width of the table of chosen slots, 0 for none. */
const at = (layout: SlotLayout, epsilon: number, chosen: number): OpCase<WeighScoresAttrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} epsilon ${epsilon} chosen ${chosen}`,
  inputs: {
    scores: columnInput(layout),
    weights: columnInput(layout),
    count: countInput(layout),
    ...(chosen > 0 && { kept: keptInput(layout, chosen) }),
  },
  attrs: { epsilon },
})

export const weighScoresCases: OpCases<WeighScoresAttrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), 0, 0),
    at(edgeLayout(2, 3, 40), 1e-4, 7),
    at(edgeLayout(2, 3, 40), 0.5, 60),
  ],
  fuzz: (random) => at(randomLayout(random, 90), random.next(), random.int(0, 30)),
}
