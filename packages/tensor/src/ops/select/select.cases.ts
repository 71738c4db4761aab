import type { CaseInput, OpCase, OpCases } from '../../op-case.ts'
import {
  columnInput,
  countInput,
  edgeLayout,
  randomLayout,
  type SlotLayout,
  slotIndexInput,
} from '../../slot-case-inputs.ts'
import type { SelectAttrs } from './select.ts'

/** Few distinct values, with both zeros and everything that is not finite. */
const awkward = [0, -0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45, -3e38]
const ties: CaseInput['fill'] = (_, random) => awkward[random.int(0, awkward.length - 1)]!

const at = (layout: SlotLayout, budget: number, fill?: CaseInput['fill']): OpCase<SelectAttrs> => ({
  name: `B${layout.B} H${layout.H} cap${layout.cap} budget ${budget}${fill ? ' with ties' : ''}`,
  inputs: { scores: columnInput(layout, fill), slotIndex: slotIndexInput(layout), count: countInput(layout) },
  attrs: { budget },
})

/** A share of its own for each head: nothing, some, more than it stores. */
function withQuota(
  test: OpCase<SelectAttrs>,
  layout: SlotLayout,
  part?: SelectAttrs['part'],
): OpCase<SelectAttrs> {
  const quota: CaseInput = {
    dtype: 'i32',
    shape: [layout.B, layout.H],
    fill: (i) => (i * 7) % (layout.cap + 3),
    strided: 1,
  }
  const name = `${test.name}, ${part ? `${part.share} and at least ${part.least} of ` : ''}quotas`
  return { name, inputs: { ...test.inputs, quota }, attrs: { ...test.attrs, ...(part && { part }) } }
}

export const selectCases: OpCases<SelectAttrs> = {
  cases: [
    at(edgeLayout(1, 1, 1), 1),
    at(edgeLayout(2, 3, 40), 17),
    at(edgeLayout(2, 3, 40), 17, ties),
    at(edgeLayout(1, 5, 9), 12, ties),
    at(edgeLayout(1, 5, 200), 1, ties),
    at(edgeLayout(1, 2, 200), 199, () => 0.5),
    withQuota(at(edgeLayout(2, 5, 40), 40, ties), edgeLayout(2, 5, 40)),
    withQuota(at(edgeLayout(2, 5, 40), 40, ties), edgeLayout(2, 5, 40), { share: 0.5, least: 3 }),
    withQuota(at(edgeLayout(2, 5, 40), 12), edgeLayout(2, 5, 40), { share: 0, least: 50 }),
  ],
  fuzz: (random) => {
    const layout = randomLayout(random, 300)
    const test = at(layout, random.int(1, layout.cap + 3), random.next() < 0.5 ? ties : undefined)
    if (random.next() < 0.6) return test
    const part = { share: random.next(), least: random.int(0, layout.cap) }
    return withQuota(test, layout, random.next() < 0.5 ? part : undefined)
  },
  bench: [at({ B: 1, H: 8, cap: 1152, counts: new Array(8).fill(1152), order: 'ascending' }, 1024)],
}
