import type { OpCases } from '../op-case.ts'
import { accumulateCases } from './accumulate/accumulate.cases.ts'
import { adamwCases } from './adamw/adamw.cases.ts'
import { allotSlotsCases } from './allot-slots/allot-slots.cases.ts'
import { argmaxCases } from './argmax/argmax.cases.ts'
import { attentionCases } from './attention/attention.cases.ts'
import { capacityCases } from './capacity/capacity.cases.ts'
import { capacityGradCases } from './capacity-grad/capacity-grad.cases.ts'
import { chunkMeanCases } from './chunk-mean/chunk-mean.cases.ts'
import { clearSlotsCases } from './clear-slots/clear-slots.cases.ts'
import { columnAppendCases } from './column-append/column-append.cases.ts'
import { compactCases } from './compact/compact.cases.ts'
import { concatLastCases } from './concat-last/concat-last.cases.ts'
import { copyCases } from './copy/copy.cases.ts'
import { countKeptCases } from './count-kept/count-kept.cases.ts'
import { embedCases } from './embed/embed.cases.ts'
import { embedGradCases } from './embed-grad/embed-grad.cases.ts'
import { expectedScoresCases } from './expected-scores/expected-scores.cases.ts'
import { fmaChainCases } from './fma-chain/fma-chain.cases.ts'
import { gatedAttentionCases } from './gated-attention/gated-attention.cases.ts'
import { gatedAttentionGradCases } from './gated-attention-grad/gated-attention-grad.cases.ts'
import { geluCases } from './gelu/gelu.cases.ts'
import { headDotCases } from './head-dot/head-dot.cases.ts'
import { keyDiffCases } from './key-diff/key-diff.cases.ts'
import { keyNormCases } from './key-norm/key-norm.cases.ts'
import { kvAppendCases } from './kv-append/kv-append.cases.ts'
import { lagScoresCases } from './lag-scores/lag-scores.cases.ts'
import { liftProtectedCases } from './lift-protected/lift-protected.cases.ts'
import { linearCases } from './linear/linear.cases.ts'
import { linearGradInputCases } from './linear-grad-input/linear-grad-input.cases.ts'
import { linearGradWeightCases } from './linear-grad-weight/linear-grad-weight.cases.ts'
import { lmLossCases } from './lm-loss/lm-loss.cases.ts'
import { lmLossGradCases } from './lm-loss-grad/lm-loss-grad.cases.ts'
import { logGeometricSumCases } from './log-geometric-sum/log-geometric-sum.cases.ts'
import { logSigmoidCases } from './log-sigmoid/log-sigmoid.cases.ts'
import { logSigmoidGradCases } from './log-sigmoid-grad/log-sigmoid-grad.cases.ts'
import { mixCases } from './mix/mix.cases.ts'
import { moveSlotsCases } from './move-slots/move-slots.cases.ts'
import { occupancyCases } from './occupancy/occupancy.cases.ts'
import { occupancyGradCases } from './occupancy-grad/occupancy-grad.cases.ts'
import { padAxisCases } from './pad-axis/pad-axis.cases.ts'
import { poolCases } from './pool/pool.cases.ts'
import { projectedNormCases } from './projected-norm/projected-norm.cases.ts'
import { protectCases } from './protect/protect.cases.ts'
import { rankWithinCases } from './rank-within/rank-within.cases.ts'
import { redundancyCases } from './redundancy/redundancy.cases.ts'
import { ringAppendCases } from './ring-append/ring-append.cases.ts'
import { ringTokensCases } from './ring-tokens/ring-tokens.cases.ts'
import { rmsNormCases } from './rms-norm/rms-norm.cases.ts'
import { rmsNormGradInputCases } from './rms-norm-grad-input/rms-norm-grad-input.cases.ts'
import { rmsNormGradWeightCases } from './rms-norm-grad-weight/rms-norm-grad-weight.cases.ts'
import { ropeCases } from './rope/rope.cases.ts'
import { ropeTableCases } from './rope-table/rope-table.cases.ts'
import { selectCases } from './select/select.cases.ts'
import { setCountCases } from './set-count/set-count.cases.ts'
import { shareHeadsCases } from './share-heads/share-heads.cases.ts'
import { siluCases } from './silu/silu.cases.ts'
import { siluGradCases } from './silu-grad/silu-grad.cases.ts'
import { slotRandomCases } from './slot-random/slot-random.cases.ts'
import { slotScoresCases } from './slot-scores/slot-scores.cases.ts'
import { sumRowsCases } from './sum-rows/sum-rows.cases.ts'
import { sumSquaresCases } from './sum-squares/sum-squares.cases.ts'
import { swigluCases } from './swiglu/swiglu.cases.ts'
import { swigluGradCases } from './swiglu-grad/swiglu-grad.cases.ts'
import { tokenLogProbCases } from './token-log-prob/token-log-prob.cases.ts'
import { turnKeysCases } from './turn-keys/turn-keys.cases.ts'
import { weighHeadsCases } from './weigh-heads/weigh-heads.cases.ts'
import { weighScoresCases } from './weigh-scores/weigh-scores.cases.ts'
import { windowScoresCases } from './window-scores/window-scores.cases.ts'

/** The cases of every op, by op name: two lines per op, as in index.ts. */
// biome-ignore lint/suspicious/noExplicitAny: ops have different attribute types
export const opCases: Readonly<Record<string, OpCases<any>>> = {
  embed: embedCases,
  embedGrad: embedGradCases,
  linear: linearCases,
  linearGradInput: linearGradInputCases,
  linearGradWeight: linearGradWeightCases,
  sumRows: sumRowsCases,
  silu: siluCases,
  gelu: geluCases,
  siluGrad: siluGradCases,
  swiglu: swigluCases,
  swigluGrad: swigluGradCases,
  logSigmoid: logSigmoidCases,
  logSigmoidGrad: logSigmoidGradCases,
  ropeTable: ropeTableCases,
  rope: ropeCases,
  concatLast: concatLastCases,
  copy: copyCases,
  padAxis: padAxisCases,
  mix: mixCases,
  argmax: argmaxCases,
  tokenLogProb: tokenLogProbCases,
  rmsNorm: rmsNormCases,
  rmsNormGradInput: rmsNormGradInputCases,
  rmsNormGradWeight: rmsNormGradWeightCases,
  kvAppend: kvAppendCases,
  columnAppend: columnAppendCases,
  attention: attentionCases,
  gatedAttention: gatedAttentionCases,
  gatedAttentionGrad: gatedAttentionGradCases,
  occupancy: occupancyCases,
  occupancyGrad: occupancyGradCases,
  capacity: capacityCases,
  capacityGrad: capacityGradCases,
  lmLoss: lmLossCases,
  lmLossGrad: lmLossGradCases,
  adamw: adamwCases,
  sumSquares: sumSquaresCases,
  accumulate: accumulateCases,
  slotScores: slotScoresCases,
  ringAppend: ringAppendCases,
  ringTokens: ringTokensCases,
  windowScores: windowScoresCases,
  pool: poolCases,
  shareHeads: shareHeadsCases,
  weighHeads: weighHeadsCases,
  weighScores: weighScoresCases,
  chunkMean: chunkMeanCases,
  liftProtected: liftProtectedCases,
  keyDiff: keyDiffCases,
  redundancy: redundancyCases,
  expectedScores: expectedScoresCases,
  lagScores: lagScoresCases,
  keyNorm: keyNormCases,
  headDot: headDotCases,
  projectedNorm: projectedNormCases,
  logGeometricSum: logGeometricSumCases,
  slotRandom: slotRandomCases,
  protect: protectCases,
  rankWithin: rankWithinCases,
  allotSlots: allotSlotsCases,
  select: selectCases,
  compact: compactCases,
  countKept: countKeptCases,
  moveSlots: moveSlotsCases,
  turnKeys: turnKeysCases,
  setCount: setCountCases,
  clearSlots: clearSlotsCases,
  fmaChain: fmaChainCases,
}
