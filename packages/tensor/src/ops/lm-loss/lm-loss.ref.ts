import { fail } from '../../errors.ts'
import type { RefArray } from '../../op.ts'
import type { LmLossAttrs } from './lm-loss.ts'

/** The target of a row without cross-entropy. */
export const ignoredTarget = -100

/** Log-softmax of row n. */
export function logProbs(logits: RefArray, n: number): Float64Array {
  const width = logits.shape[1]!
  const row = logits.data.subarray(n * width, (n + 1) * width)
  const top = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const log = top + Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0))
  return row.map((x) => x - log)
}

/** KL(P ‖ Q) of two distributions given by their logarithms. */
export const divergence = (p: Float64Array, q: Float64Array): number =>
  p.reduce((sum, x, v) => sum + (x === Number.NEGATIVE_INFINITY ? 0 : Math.exp(x) * (x - q[v]!)), 0)

/** @throws TRIMKV_TOKEN_RANGE */
export function checkTargets(op: string, targets: RefArray, width: number): void {
  for (const target of targets.data) {
    if (target !== ignoredTarget && !(target >= 0 && target < width)) {
      fail('TRIMKV_TOKEN_RANGE', `[${op}] target ${target} is neither ${ignoredTarget} nor in 0…${width - 1}`)
    }
  }
}

interface Inputs {
  readonly logits: RefArray
  readonly teacher?: RefArray | undefined
  readonly targets: RefArray
}

export function lmLossRef(
  { logits, teacher, targets }: Inputs,
  { kl, ce }: { readonly kl: RefArray; readonly ce: RefArray },
  attrs: LmLossAttrs,
): void {
  const [rows, width] = logits.shape as [number, number]
  checkTargets('lmLoss', targets, width)
  for (let n = 0; n < rows; n++) {
    const student = logProbs(logits, n)
    const target = targets.data[n]!
    if (target !== ignoredTarget) ce.data[n] = -student[target]!
    if (!teacher) continue
    const wanted = logProbs(teacher, n)
    kl.data[n] = attrs.kl === 'forward' ? divergence(wanted, student) : divergence(student, wanted)
  }
}
