import type { RefArray } from '../../op.ts'
import { checkTargets, divergence, ignoredTarget, logProbs } from '../lm-loss/lm-loss.ref.ts'
import type { LmLossAttrs } from '../lm-loss/lm-loss.ts'

interface Inputs {
  readonly logits: RefArray
  readonly teacher?: RefArray | undefined
  readonly targets: RefArray
  readonly dKl: RefArray
  readonly dCe: RefArray
}

export function lmLossGradRef(
  { logits, teacher, targets, dKl, dCe }: Inputs,
  { out }: { readonly out: RefArray },
  { kl }: LmLossAttrs,
): void {
  const [rows, width] = logits.shape as [number, number]
  checkTargets('lmLossGrad', targets, width)
  for (let n = 0; n < rows; n++) {
    const student = logProbs(logits, n)
    const row = out.data.subarray(n * width, (n + 1) * width)
    const target = targets.data[n]!
    if (target !== ignoredTarget) {
      for (let v = 0; v < width; v++) row[v] = dCe.data[n]! * (Math.exp(student[v]!) - (v === target ? 1 : 0))
    }
    if (!teacher) continue
    const wanted = logProbs(teacher, n)
    const distance = divergence(student, wanted)
    for (let v = 0; v < width; v++) {
      const p = Math.exp(student[v]!)
      const reverse = p === 0 ? 0 : p * (student[v]! - wanted[v]! - distance)
      row[v]! += dKl.data[n]! * (kl === 'forward' ? p - Math.exp(wanted[v]!) : reverse)
    }
  }
}
