import { createTape } from '@trimkv/autograd'
import { type Decoder, type DecoderInputs, decoderForward, decoderLogits } from '@trimkv/models'
import type { Ops, TensorLike } from '@trimkv/tensor'
import { gateCapacity } from './gate-capacity.ts'
import { headLoss } from './head-loss.ts'
import type { Losses } from './losses.ts'
import { sumOf } from './sum-of.ts'
import { trainingAttention } from './training-attention.ts'

/** One forward over whole rows of packed documents. */
export interface TrainingInputs<T> {
  readonly inputs: DecoderInputs<T>
  /** [B, T] i32 */
  readonly starts: T
  /** [N] i32 */
  readonly targets: T
}

/** Gradients of the total with respect to its terms. */
export interface LossGradients<T> {
  /** [N] */
  readonly klGradient: T
  /** [N] */
  readonly ntpGradient: T
  /** [1] */
  readonly capacityGradient: T
}

export interface TrainingOptions {
  readonly losses: Losses
  /** Rows whose logits are held at a time. */
  readonly chunkRows: number
}

/** Terms of the loss as tensors to be read after a run. */
export interface TrainingTerms<T> {
  /** Per row, one tensor per chunk of rows; zeros without a teacher. */
  readonly kl: readonly T[]
  readonly ntp: readonly T[]
  /** [1] */
  readonly capacity?: T | undefined
  /** [B, T, L · H] */
  readonly occupancy?: T | undefined
}

/** Hidden states of a forward without gates: the teacher. */
function plainHidden<T extends TensorLike>(
  ops: Ops<T>,
  { spec, weights }: Decoder<T>,
  { inputs, starts }: TrainingInputs<T>,
): T {
  const cache = trainingAttention(ops, { headDim: spec.headDim, starts, gated: false })
  return decoderForward(ops, { spec, weights }, { inputs, cache, logits: 'none' }).hidden
}

/**
 * Forward and backward of the whole loss, as ops: run once eagerly, or recorded and run for every batch.
 * @param wrt what learns; `recompute` keeps one tensor per layer instead of all activations
 * @returns the terms and one gradient per `wrt`
 */
export function trainingGradients<T extends TensorLike>(
  ops: Ops<T>,
  decoder: Decoder<T>,
  run: TrainingInputs<T> &
    LossGradients<T> &
    TrainingOptions & { readonly wrt: readonly T[]; readonly recompute: boolean },
): { readonly terms: TrainingTerms<T>; readonly gradients: readonly (T | undefined)[] } {
  const { spec, gates } = decoder
  const { inputs, starts, losses, wrt } = run
  const teacher = losses.kl && plainHidden(ops, decoder, run)
  const tape = createTape(ops, { wrt, recompute: run.recompute })
  const cache = trainingAttention(tape.ops, { headDim: spec.headDim, starts, gated: gates !== undefined })
  const { hidden, logBeta } = decoderForward(tape.ops, decoder, {
    inputs,
    cache,
    logits: 'none',
    onLayer: () => tape.segment(),
  })
  tape.segment()
  const gated = gates && gateCapacity(tape.ops, { logBeta, starts }, losses.capacity)
  const head = headLoss(ops, decoder, {
    inputs: { ...run, hidden, teacher },
    options: { kl: losses.kl ?? 'forward', chunkRows: run.chunkRows, wrt },
  })
  const inner = tape.backward([
    { tensor: hidden, grad: head.hiddenGradient },
    ...(gated?.loss ? [{ tensor: gated.loss, grad: run.capacityGradient }] : []),
  ])
  return {
    terms: { kl: head.kl, ntp: head.ntp, capacity: gated?.loss, occupancy: gated?.occupancy },
    gradients: wrt.map((_, index) => sumOf(ops, [inner[index], head.gradients[index]])),
  }
}

/** Terms of the loss and what the model would say, without gradients. */
export function trainingTerms<T extends TensorLike>(
  ops: Ops<T>,
  decoder: Decoder<T>,
  run: TrainingInputs<T> & TrainingOptions,
): TrainingTerms<T> & { readonly said: readonly T[] } {
  const { spec, gates } = decoder
  const { inputs, starts, losses, chunkRows, targets } = run
  const teacher = losses.kl && plainHidden(ops, decoder, run)
  const cache = trainingAttention(ops, { headDim: spec.headDim, starts, gated: gates !== undefined })
  const { hidden, logBeta } = decoderForward(ops, decoder, { inputs, cache, logits: 'none' })
  const gated = gates && gateCapacity(ops, { logBeta, starts }, losses.capacity)
  const rows = hidden.shape[0] as number
  const chunks = Array.from({ length: Math.ceil(rows / chunkRows) }, (_, index) => {
    const start = index * chunkRows
    const range = { axis: 0, start, length: Math.min(chunkRows, rows - start) }
    const logits = decoderLogits(ops, decoder, ops.slice(hidden, range))
    const { kl, ce } = ops.lmLoss(
      {
        logits,
        teacher: teacher && decoderLogits(ops, decoder, ops.slice(teacher, range)),
        targets: ops.slice(targets, range),
      },
      { kl: losses.kl ?? 'forward' },
    )
    return { kl, ntp: ce, said: ops.argmax({ x: logits }) }
  })
  return {
    kl: chunks.map(({ kl }) => kl),
    ntp: chunks.map(({ ntp }) => ntp),
    said: chunks.map(({ said }) => said),
    capacity: gated?.loss,
    occupancy: gated?.occupancy,
  }
}
