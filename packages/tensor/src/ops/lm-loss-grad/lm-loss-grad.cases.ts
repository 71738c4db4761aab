import type { CaseInput, OpCase, OpCases } from '../../op-case.ts'
import { lmLossCases } from '../lm-loss/lm-loss.cases.ts'
import type { LmLossAttrs } from '../lm-loss/lm-loss.ts'

/** The same call with gradients of both losses, a third of them 0. */
function graded(test: OpCase<LmLossAttrs>): OpCase<LmLossAttrs> {
  const gradient: CaseInput = {
    dtype: 'f32',
    shape: test.inputs.targets!.shape,
    fill: (_, random) => (random.next() < 0.3 ? 0 : random.normal()),
  }
  return { ...test, inputs: { ...test.inputs, dKl: gradient, dCe: gradient } }
}

export const lmLossGradCases: OpCases<LmLossAttrs> = {
  cases: lmLossCases.cases.map(graded),
  fuzz: (random) => graded(lmLossCases.fuzz(random)),
  bench: lmLossCases.bench!.map(graded),
}
