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
import type { PoolAttrs } from './pool.ts'

function at(sizes: SlotLayout, attrs: PoolAttrs): OpCase<PoolAttrs> {
  const layout: SlotLayout = { ...sizes, order: 'ascending' }
  return {
    name: `B${layout.B} H${layout.H} cap${layout.cap} ${attrs.kind} ${attrs.kernel} exclude ${attrs.exclude}`,
    inputs: {
      scores: columnInput(layout),
      count: countInput(layout),
      slotIndex: slotIndexInput(layout),
      seen: seenInput(layout),
    },
    attrs,
  }
}

export const poolCases: OpCases<PoolAttrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), { kernel: 7, kind: 'max', exclude: 0 }),
    at(edgeLayout(2, 3, 40), { kernel: 7, kind: 'max', exclude: 8 }),
    at(edgeLayout(2, 3, 40), { kernel: 5, kind: 'avg', exclude: 8 }),
    at(edgeLayout(1, 4, 9), { kernel: 1, kind: 'avg', exclude: 100 }),
    at(edgeLayout(1, 4, 9), { kernel: 31, kind: 'max', exclude: 1 }),
  ],
  fuzz: (random) =>
    at(randomLayout(random, 80), {
      kernel: 2 * random.int(0, 8) + 1,
      kind: random.next() < 0.5 ? 'max' : 'avg',
      exclude: random.int(0, 20),
    }),
}
