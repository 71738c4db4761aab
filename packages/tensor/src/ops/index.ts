import { argmax } from './argmax/argmax.ts'
import { attention } from './attention/attention.ts'
import { columnAppend } from './column-append/column-append.ts'
import { compact } from './compact/compact.ts'
import { concatLast } from './concat-last/concat-last.ts'
import { copy } from './copy/copy.ts'
import { countKept } from './count-kept/count-kept.ts'
import { embed } from './embed/embed.ts'
import { keyDiff } from './key-diff/key-diff.ts'
import { keyNorm } from './key-norm/key-norm.ts'
import { kvAppend } from './kv-append/kv-append.ts'
import { linear } from './linear/linear.ts'
import { logSigmoid } from './log-sigmoid/log-sigmoid.ts'
import { mix } from './mix/mix.ts'
import { moveSlots } from './move-slots/move-slots.ts'
import { pool } from './pool/pool.ts'
import { protect } from './protect/protect.ts'
import { redundancy } from './redundancy/redundancy.ts'
import { ringAppend } from './ring-append/ring-append.ts'
import { rmsNorm } from './rms-norm/rms-norm.ts'
import { rope } from './rope/rope.ts'
import { ropeTable } from './rope-table/rope-table.ts'
import { select } from './select/select.ts'
import { setCount } from './set-count/set-count.ts'
import { shareHeads } from './share-heads/share-heads.ts'
import { silu } from './silu/silu.ts'
import { slotRandom } from './slot-random/slot-random.ts'
import { slotScores } from './slot-scores/slot-scores.ts'
import { swiglu } from './swiglu/swiglu.ts'
import { tokenLogProb } from './token-log-prob/token-log-prob.ts'
import { windowScores } from './window-scores/window-scores.ts'

/** Every operator, by name. Adding one: its folder, its two lines here. */
export interface OpTable {
  readonly embed: typeof embed
  readonly linear: typeof linear
  readonly silu: typeof silu
  readonly swiglu: typeof swiglu
  readonly logSigmoid: typeof logSigmoid
  readonly ropeTable: typeof ropeTable
  readonly rope: typeof rope
  readonly concatLast: typeof concatLast
  readonly copy: typeof copy
  readonly mix: typeof mix
  readonly argmax: typeof argmax
  readonly tokenLogProb: typeof tokenLogProb
  readonly rmsNorm: typeof rmsNorm
  readonly kvAppend: typeof kvAppend
  readonly columnAppend: typeof columnAppend
  readonly attention: typeof attention
  readonly slotScores: typeof slotScores
  readonly ringAppend: typeof ringAppend
  readonly windowScores: typeof windowScores
  readonly pool: typeof pool
  readonly shareHeads: typeof shareHeads
  readonly keyDiff: typeof keyDiff
  readonly redundancy: typeof redundancy
  readonly keyNorm: typeof keyNorm
  readonly slotRandom: typeof slotRandom
  readonly protect: typeof protect
  readonly select: typeof select
  readonly compact: typeof compact
  readonly countKept: typeof countKept
  readonly moveSlots: typeof moveSlots
  readonly setCount: typeof setCount
}

export const opTable: OpTable = {
  embed,
  linear,
  silu,
  swiglu,
  logSigmoid,
  ropeTable,
  rope,
  concatLast,
  copy,
  mix,
  argmax,
  tokenLogProb,
  rmsNorm,
  kvAppend,
  columnAppend,
  attention,
  slotScores,
  ringAppend,
  windowScores,
  pool,
  shareHeads,
  keyDiff,
  redundancy,
  keyNorm,
  slotRandom,
  protect,
  select,
  compact,
  countKept,
  moveSlots,
  setCount,
}
