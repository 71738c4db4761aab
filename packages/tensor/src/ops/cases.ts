import type { OpCases } from '../op-case.ts'
import { argmaxCases } from './argmax/argmax.cases.ts'
import { attentionCases } from './attention/attention.cases.ts'
import { columnAppendCases } from './column-append/column-append.cases.ts'
import { compactCases } from './compact/compact.cases.ts'
import { concatLastCases } from './concat-last/concat-last.cases.ts'
import { copyCases } from './copy/copy.cases.ts'
import { countKeptCases } from './count-kept/count-kept.cases.ts'
import { embedCases } from './embed/embed.cases.ts'
import { keyDiffCases } from './key-diff/key-diff.cases.ts'
import { keyNormCases } from './key-norm/key-norm.cases.ts'
import { kvAppendCases } from './kv-append/kv-append.cases.ts'
import { linearCases } from './linear/linear.cases.ts'
import { logSigmoidCases } from './log-sigmoid/log-sigmoid.cases.ts'
import { mixCases } from './mix/mix.cases.ts'
import { moveSlotsCases } from './move-slots/move-slots.cases.ts'
import { poolCases } from './pool/pool.cases.ts'
import { protectCases } from './protect/protect.cases.ts'
import { redundancyCases } from './redundancy/redundancy.cases.ts'
import { ringAppendCases } from './ring-append/ring-append.cases.ts'
import { rmsNormCases } from './rms-norm/rms-norm.cases.ts'
import { ropeCases } from './rope/rope.cases.ts'
import { ropeTableCases } from './rope-table/rope-table.cases.ts'
import { selectCases } from './select/select.cases.ts'
import { setCountCases } from './set-count/set-count.cases.ts'
import { shareHeadsCases } from './share-heads/share-heads.cases.ts'
import { siluCases } from './silu/silu.cases.ts'
import { slotRandomCases } from './slot-random/slot-random.cases.ts'
import { slotScoresCases } from './slot-scores/slot-scores.cases.ts'
import { swigluCases } from './swiglu/swiglu.cases.ts'
import { tokenLogProbCases } from './token-log-prob/token-log-prob.cases.ts'
import { windowScoresCases } from './window-scores/window-scores.cases.ts'

/** The cases of every op, by op name: two lines per op, as in index.ts. */
// biome-ignore lint/suspicious/noExplicitAny: ops have different attribute types
export const opCases: Readonly<Record<string, OpCases<any>>> = {
  embed: embedCases,
  linear: linearCases,
  silu: siluCases,
  swiglu: swigluCases,
  logSigmoid: logSigmoidCases,
  ropeTable: ropeTableCases,
  rope: ropeCases,
  concatLast: concatLastCases,
  copy: copyCases,
  mix: mixCases,
  argmax: argmaxCases,
  tokenLogProb: tokenLogProbCases,
  rmsNorm: rmsNormCases,
  kvAppend: kvAppendCases,
  columnAppend: columnAppendCases,
  attention: attentionCases,
  slotScores: slotScoresCases,
  ringAppend: ringAppendCases,
  windowScores: windowScoresCases,
  pool: poolCases,
  shareHeads: shareHeadsCases,
  keyDiff: keyDiffCases,
  redundancy: redundancyCases,
  keyNorm: keyNormCases,
  slotRandom: slotRandomCases,
  protect: protectCases,
  select: selectCases,
  compact: compactCases,
  countKept: countKeptCases,
  moveSlots: moveSlotsCases,
  setCount: setCountCases,
}
