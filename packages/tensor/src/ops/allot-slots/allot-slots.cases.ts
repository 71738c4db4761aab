import type { CaseInput, CaseRandom, OpCase, OpCases } from '../../op-case.ts'
import {
  columnInput,
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  slotIndexInput,
} from '../../slot-case-inputs.ts'
import type { AllotSlotsAttrs, HeadFloor } from './allot-slots.ts'

/** Few distinct values, so that scores meet across heads, protected slots among them. */
const awkward = [0, -0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45, -3e38]
const ties: CaseInput['fill'] = (_, random) => awkward[random.int(0, awkward.length - 1)]!

const base: AllotSlotsAttrs = {
  budget: 7,
  trigger: 0,
  floor: { kind: 'none' },
  threshold: Number.NEGATIVE_INFINITY,
}

function at(
  layout: SlotLayout,
  given: Partial<AllotSlotsAttrs>,
  fill?: CaseInput['fill'],
): OpCase<AllotSlotsAttrs> {
  const attrs = { ...base, ...given }
  const { budget, trigger, floor, threshold } = attrs
  const size = `B${layout.B} P${layout.H} cap${layout.cap}`
  return {
    name: `${size} budget ${budget} from ${trigger}, floor ${Object.values(floor).join(' ')}, above ${threshold}${fill ? ' with ties' : ''}`,
    inputs: {
      scores: columnInput(layout, fill),
      slotIndex: slotIndexInput(layout),
      count: countInput(layout),
    },
    attrs,
    // Counts are exact.
    tolerance: 0,
  }
}

function anyFloor(random: CaseRandom, budget: number): HeadFloor {
  const kind = (['none', 'top', 'least', 'mix'] as const)[random.int(0, 3)]!
  if (kind === 'none') return { kind }
  if (kind === 'mix') return { kind, share: random.int(0, 4) / 4 }
  return { kind, slots: random.int(0, budget) }
}

const full = (P: number, cap: number): SlotLayout => ({
  B: 1,
  H: P,
  cap,
  counts: new Array(P).fill(cap),
  order: 'ascending',
})

export const allotSlotsCases: OpCases<AllotSlotsAttrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), { budget: 1 }),
    at(edgeLayout(2, 6, 40), {}),
    at(edgeLayout(2, 6, 40), {}, ties),
    at(full(5, 20), {}, () => 0.5),
    at(full(5, 20), { floor: { kind: 'top', slots: 3 } }, ties),
    at(edgeLayout(1, 7, 60), { budget: 20, floor: { kind: 'top', slots: 20 } }),
    at(edgeLayout(1, 7, 60), { budget: 20, floor: { kind: 'least', slots: 20 } }, ties),
    at(edgeLayout(1, 7, 60), { budget: 20, floor: { kind: 'least', slots: 4 } }, ties),
    at(edgeLayout(1, 7, 60), { budget: 20, floor: { kind: 'mix', share: 0.5 } }, ties),
    at(edgeLayout(2, 3, 60), { budget: 20, threshold: 0.5, floor: { kind: 'least', slots: 2 } }),
    at(edgeLayout(2, 3, 60), { budget: 100 }),
    at(edgeLayout(2, 3, 60), { budget: 3, trigger: 100 }),
  ],
  fuzz: (random) => {
    const layout = randomLayout(random, 120)
    const budget = random.int(1, layout.cap + 2)
    return at(
      layout,
      {
        budget,
        trigger: random.next() < 0.3 ? random.int(0, layout.H * layout.cap) : 0,
        floor: anyFloor(random, budget),
        threshold: random.next() < 0.3 ? random.normal() : Number.NEGATIVE_INFINITY,
      },
      random.next() < 0.5 ? ties : undefined,
    )
  },
  bench: [at(full(8, 1152), { budget: 1024 }), at(full(288, 1152), { budget: 1024 })],
}
