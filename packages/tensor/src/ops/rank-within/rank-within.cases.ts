import type { OpCase, OpCases } from '../../op-case.ts'
import { columnInput, countInput, edgeLayout, randomLayout, type SlotLayout } from '../../slot-case-inputs.ts'
import type { RankWithinAttrs } from './rank-within.ts'

const at = (layout: SlotLayout, length: number, fill?: (i: number) => number): OpCase<RankWithinAttrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} stretches of ${length}${fill ? ' with ties' : ''}`,
  inputs: { scores: columnInput(layout, fill), count: countInput(layout) },
  attrs: { length },
})

/** Few different scores, one of them −0. */
const tied = (i: number): number => [0, -0, 1, 1, -1][(7 * i) % 5]!

export const rankWithinCases: OpCases<RankWithinAttrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), 1),
    at(edgeLayout(2, 3, 47), 20),
    at(edgeLayout(2, 3, 20), 100),
    at(edgeLayout(2, 3, 31), 8, tied),
  ],
  fuzz: (random) => at(randomLayout(random, 90), random.int(1, 30), random.next() < 0.3 ? tied : undefined),
  bench: [at({ B: 1, H: 8, cap: 4096, counts: new Array(8).fill(4096), order: 'ascending' }, 1024)],
}
