import { capacityGrad } from './capacity/capacity.grad.ts'
import { concatLastGrad } from './concat-last/concat-last.grad.ts'
import { copyGrad } from './copy/copy.grad.ts'
import { embedGrad } from './embed/embed.grad.ts'
import { gatedAttentionGrad } from './gated-attention/gated-attention.grad.ts'
import { linearGrad } from './linear/linear.grad.ts'
import { lmLossGrad } from './lm-loss/lm-loss.grad.ts'
import { logSigmoidGrad } from './log-sigmoid/log-sigmoid.grad.ts'
import { mixGrad } from './mix/mix.grad.ts'
import { occupancyGrad } from './occupancy/occupancy.grad.ts'
import { rmsNormGrad } from './rms-norm/rms-norm.grad.ts'
import { ropeGrad } from './rope/rope.grad.ts'
import { siluGrad } from './silu/silu.grad.ts'
import { swigluGrad } from './swiglu/swiglu.grad.ts'

/** Gradients by the name of their op: every op that can be differentiated. Adding one: its two lines here. */
export interface GradientTable {
  readonly embed: typeof embedGrad
  readonly linear: typeof linearGrad
  readonly silu: typeof siluGrad
  readonly swiglu: typeof swigluGrad
  readonly logSigmoid: typeof logSigmoidGrad
  readonly rope: typeof ropeGrad
  readonly concatLast: typeof concatLastGrad
  readonly copy: typeof copyGrad
  readonly mix: typeof mixGrad
  readonly rmsNorm: typeof rmsNormGrad
  readonly gatedAttention: typeof gatedAttentionGrad
  readonly occupancy: typeof occupancyGrad
  readonly capacity: typeof capacityGrad
  readonly lmLoss: typeof lmLossGrad
}

/** The gradient of every op that has one, by the name of the op, written with ops. */
export const gradients: GradientTable = {
  embed: embedGrad,
  linear: linearGrad,
  silu: siluGrad,
  swiglu: swigluGrad,
  logSigmoid: logSigmoidGrad,
  rope: ropeGrad,
  concatLast: concatLastGrad,
  copy: copyGrad,
  mix: mixGrad,
  rmsNorm: rmsNormGrad,
  gatedAttention: gatedAttentionGrad,
  occupancy: occupancyGrad,
  capacity: capacityGrad,
  lmLoss: lmLossGrad,
}
