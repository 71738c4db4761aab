import type { OpCase, OpCases } from '../../op-case.ts'
import { capacityCase, capacityCases } from '../capacity/capacity.cases.ts'
import type { CapacityAttrs } from '../capacity/capacity.ts'

/** The same call with a count of active terms, which need not be the true one, and a gradient. */
const graded = (test: OpCase<CapacityAttrs>, active = 37): OpCase<CapacityAttrs> => ({
  ...test,
  name: `${test.name} active ${active}`,
  inputs: {
    ...test.inputs,
    active: { dtype: 'f32', shape: [1], fill: () => active },
    dLoss: { dtype: 'f32', shape: [1] },
  },
})

export const capacityGradCases: OpCases<CapacityAttrs> = {
  cases: [...capacityCases.cases.map((test) => graded(test)), graded(capacityCase([1, 9, 2]), 0)],
  fuzz: (random) => graded(capacityCases.fuzz(random), random.int(0, 1000)),
  bench: capacityCases.bench!.map((test) => graded(test)),
}
