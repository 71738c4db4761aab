import { accumulate } from './accumulate/accumulate.ts'
import { adamw } from './adamw/adamw.ts'
import { allotSlots } from './allot-slots/allot-slots.ts'
import { argmax } from './argmax/argmax.ts'
import { attention } from './attention/attention.ts'
import { capacity } from './capacity/capacity.ts'
import { capacityGrad } from './capacity-grad/capacity-grad.ts'
import { chunkMean } from './chunk-mean/chunk-mean.ts'
import { clearSlots } from './clear-slots/clear-slots.ts'
import { columnAppend } from './column-append/column-append.ts'
import { compact } from './compact/compact.ts'
import { concatLast } from './concat-last/concat-last.ts'
import { copy } from './copy/copy.ts'
import { countKept } from './count-kept/count-kept.ts'
import { embed } from './embed/embed.ts'
import { embedGrad } from './embed-grad/embed-grad.ts'
import { expectedScores } from './expected-scores/expected-scores.ts'
import { fmaChain } from './fma-chain/fma-chain.ts'
import { gatedAttention } from './gated-attention/gated-attention.ts'
import { gatedAttentionGrad } from './gated-attention-grad/gated-attention-grad.ts'
import { gelu } from './gelu/gelu.ts'
import { headDot } from './head-dot/head-dot.ts'
import { keyDiff } from './key-diff/key-diff.ts'
import { keyNorm } from './key-norm/key-norm.ts'
import { kvAppend } from './kv-append/kv-append.ts'
import { lagScores } from './lag-scores/lag-scores.ts'
import { liftProtected } from './lift-protected/lift-protected.ts'
import { linear } from './linear/linear.ts'
import { linearGradInput } from './linear-grad-input/linear-grad-input.ts'
import { linearGradWeight } from './linear-grad-weight/linear-grad-weight.ts'
import { lmLoss } from './lm-loss/lm-loss.ts'
import { lmLossGrad } from './lm-loss-grad/lm-loss-grad.ts'
import { logGeometricSum } from './log-geometric-sum/log-geometric-sum.ts'
import { logSigmoid } from './log-sigmoid/log-sigmoid.ts'
import { logSigmoidGrad } from './log-sigmoid-grad/log-sigmoid-grad.ts'
import { mix } from './mix/mix.ts'
import { moveSlots } from './move-slots/move-slots.ts'
import { occupancy } from './occupancy/occupancy.ts'
import { occupancyGrad } from './occupancy-grad/occupancy-grad.ts'
import { padAxis } from './pad-axis/pad-axis.ts'
import { pool } from './pool/pool.ts'
import { projectedNorm } from './projected-norm/projected-norm.ts'
import { protect } from './protect/protect.ts'
import { rankWithin } from './rank-within/rank-within.ts'
import { redundancy } from './redundancy/redundancy.ts'
import { ringAppend } from './ring-append/ring-append.ts'
import { ringTokens } from './ring-tokens/ring-tokens.ts'
import { rmsNorm } from './rms-norm/rms-norm.ts'
import { rmsNormGradInput } from './rms-norm-grad-input/rms-norm-grad-input.ts'
import { rmsNormGradWeight } from './rms-norm-grad-weight/rms-norm-grad-weight.ts'
import { rope } from './rope/rope.ts'
import { ropeTable } from './rope-table/rope-table.ts'
import { select } from './select/select.ts'
import { setCount } from './set-count/set-count.ts'
import { shareHeads } from './share-heads/share-heads.ts'
import { silu } from './silu/silu.ts'
import { siluGrad } from './silu-grad/silu-grad.ts'
import { slotRandom } from './slot-random/slot-random.ts'
import { slotScores } from './slot-scores/slot-scores.ts'
import { sumRows } from './sum-rows/sum-rows.ts'
import { sumSquares } from './sum-squares/sum-squares.ts'
import { swiglu } from './swiglu/swiglu.ts'
import { swigluGrad } from './swiglu-grad/swiglu-grad.ts'
import { tokenLogProb } from './token-log-prob/token-log-prob.ts'
import { turnKeys } from './turn-keys/turn-keys.ts'
import { weighHeads } from './weigh-heads/weigh-heads.ts'
import { weighScores } from './weigh-scores/weigh-scores.ts'
import { windowScores } from './window-scores/window-scores.ts'

/** Every operator, by name. Adding one: its folder, its two lines here. */
export interface OpTable {
  readonly embed: typeof embed
  readonly embedGrad: typeof embedGrad
  readonly linear: typeof linear
  readonly linearGradInput: typeof linearGradInput
  readonly linearGradWeight: typeof linearGradWeight
  readonly sumRows: typeof sumRows
  readonly silu: typeof silu
  readonly gelu: typeof gelu
  readonly siluGrad: typeof siluGrad
  readonly swiglu: typeof swiglu
  readonly swigluGrad: typeof swigluGrad
  readonly logSigmoid: typeof logSigmoid
  readonly logSigmoidGrad: typeof logSigmoidGrad
  readonly ropeTable: typeof ropeTable
  readonly rope: typeof rope
  readonly concatLast: typeof concatLast
  readonly copy: typeof copy
  readonly padAxis: typeof padAxis
  readonly mix: typeof mix
  readonly argmax: typeof argmax
  readonly tokenLogProb: typeof tokenLogProb
  readonly rmsNorm: typeof rmsNorm
  readonly rmsNormGradInput: typeof rmsNormGradInput
  readonly rmsNormGradWeight: typeof rmsNormGradWeight
  readonly kvAppend: typeof kvAppend
  readonly columnAppend: typeof columnAppend
  readonly attention: typeof attention
  readonly gatedAttention: typeof gatedAttention
  readonly gatedAttentionGrad: typeof gatedAttentionGrad
  readonly occupancy: typeof occupancy
  readonly occupancyGrad: typeof occupancyGrad
  readonly capacity: typeof capacity
  readonly capacityGrad: typeof capacityGrad
  readonly lmLoss: typeof lmLoss
  readonly lmLossGrad: typeof lmLossGrad
  readonly adamw: typeof adamw
  readonly sumSquares: typeof sumSquares
  readonly accumulate: typeof accumulate
  readonly slotScores: typeof slotScores
  readonly ringAppend: typeof ringAppend
  readonly ringTokens: typeof ringTokens
  readonly windowScores: typeof windowScores
  readonly pool: typeof pool
  readonly shareHeads: typeof shareHeads
  readonly weighHeads: typeof weighHeads
  readonly weighScores: typeof weighScores
  readonly chunkMean: typeof chunkMean
  readonly liftProtected: typeof liftProtected
  readonly keyDiff: typeof keyDiff
  readonly redundancy: typeof redundancy
  readonly expectedScores: typeof expectedScores
  readonly lagScores: typeof lagScores
  readonly keyNorm: typeof keyNorm
  readonly headDot: typeof headDot
  readonly projectedNorm: typeof projectedNorm
  readonly logGeometricSum: typeof logGeometricSum
  readonly slotRandom: typeof slotRandom
  readonly protect: typeof protect
  readonly rankWithin: typeof rankWithin
  readonly allotSlots: typeof allotSlots
  readonly select: typeof select
  readonly compact: typeof compact
  readonly countKept: typeof countKept
  readonly moveSlots: typeof moveSlots
  readonly turnKeys: typeof turnKeys
  readonly setCount: typeof setCount
  readonly clearSlots: typeof clearSlots
  readonly fmaChain: typeof fmaChain
}

/** Every op, by name. */
export const opTable: OpTable = {
  embed,
  embedGrad,
  linear,
  linearGradInput,
  linearGradWeight,
  sumRows,
  silu,
  gelu,
  siluGrad,
  swiglu,
  swigluGrad,
  logSigmoid,
  logSigmoidGrad,
  ropeTable,
  rope,
  concatLast,
  copy,
  padAxis,
  mix,
  argmax,
  tokenLogProb,
  rmsNorm,
  rmsNormGradInput,
  rmsNormGradWeight,
  kvAppend,
  columnAppend,
  attention,
  gatedAttention,
  gatedAttentionGrad,
  occupancy,
  occupancyGrad,
  capacity,
  capacityGrad,
  lmLoss,
  lmLossGrad,
  adamw,
  sumSquares,
  accumulate,
  slotScores,
  ringAppend,
  ringTokens,
  windowScores,
  pool,
  shareHeads,
  weighHeads,
  weighScores,
  chunkMean,
  liftProtected,
  keyDiff,
  redundancy,
  expectedScores,
  lagScores,
  keyNorm,
  headDot,
  projectedNorm,
  logGeometricSum,
  slotRandom,
  protect,
  rankWithin,
  allotSlots,
  select,
  compact,
  countKept,
  moveSlots,
  turnKeys,
  setCount,
  clearSlots,
  fmaChain,
}
