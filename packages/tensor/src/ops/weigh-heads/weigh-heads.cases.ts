import type { CaseInput, OpCase, OpCases } from '../../op-case.ts'
import {
  columnInput,
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  seenInput,
  slotIndexInput,
} from '../../slot-case-inputs.ts'
import type { WeighHeadsAttrs } from './weigh-heads.ts'

/** Like attention: above 0, so that totals are not differences of large numbers. */
const mass: CaseInput['fill'] = (_, random) => random.next() ** 4
const tied: CaseInput['fill'] = (i) => [0, 1, 1, 0.25][(7 * i) % 4]!
/** Some heads have a score that is not finite, some have none but 0. */
const broken: CaseInput['fill'] = (i) =>
  i % 23 === 0 ? Number.NaN : i % 31 === 0 ? Number.POSITIVE_INFINITY : 0

const at = (layout: SlotLayout, attrs: WeighHeadsAttrs, fill = mass): OpCase<WeighHeadsAttrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} best ${attrs.slots} but ${attrs.first} and ${attrs.last}${
    fill === mass ? '' : fill === tied ? ' with ties' : ' not finite'
  }`,
  inputs: {
    scores: columnInput(layout, fill),
    slotIndex: slotIndexInput(layout),
    count: countInput(layout),
    seen: seenInput(layout),
  },
  attrs,
})

export const weighHeadsCases: OpCases<WeighHeadsAttrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), { slots: 1, first: 0, last: 0 }),
    at(edgeLayout(2, 3, 40), { slots: 7, first: 1, last: 6 }),
    at(edgeLayout(2, 3, 40), { slots: 7, first: 0, last: 0 }, tied),
    at(edgeLayout(2, 5, 40), { slots: 7, first: 0, last: 3 }, broken),
    at(edgeLayout(1, 4, 9), { slots: 0, first: 0, last: 0 }),
    at(edgeLayout(1, 4, 9), { slots: 50, first: 100, last: 100 }),
  ],
  fuzz: (random) => {
    const attrs = { slots: random.int(0, 60), first: random.int(0, 3), last: random.int(0, 9) }
    const chance = random.next()
    return at(randomLayout(random, 80), attrs, chance < 0.6 ? mass : chance < 0.8 ? tied : broken)
  },
  bench: [
    at(
      { B: 1, H: 8, cap: 4096, counts: new Array(8).fill(4096), order: 'ascending' },
      { slots: 1024, first: 0, last: 32 },
    ),
  ],
}
