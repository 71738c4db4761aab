import { createTape } from '@trimkv/autograd'
import { type Decoder, decoderLogits } from '@trimkv/models'
import type { Ops, TensorLike } from '@trimkv/tensor'
import { sumOf } from './sum-of.ts'

interface HeadInputs<T> {
  /** [N, hidden] after the last layer, of the model that learns */
  readonly hidden: T
  /** [N, hidden] of the teacher */
  readonly teacher?: T | undefined
  /** [N] i32, −100 where a row has none */
  readonly targets: T
  /** [N] gradient of the total with respect to each row's divergence */
  readonly klGradient: T
  /** [N] and to its cross-entropy */
  readonly ntpGradient: T
}

interface HeadOptions<T> {
  readonly kl: 'forward' | 'reverse'
  /** Rows whose logits are held at a time. */
  readonly chunkRows: number
  /** Weights of the head that learn. */
  readonly wrt: readonly T[]
}

/** Losses by row, one tensor per chunk, and the gradients of the total. */
export interface HeadLoss<T> {
  readonly kl: readonly T[]
  readonly ntp: readonly T[]
  /** [N, hidden] */
  readonly hiddenGradient: T
  /** One per `wrt`. */
  readonly gradients: readonly (T | undefined)[]
}

/**
 * The end of a training forward and the beginning of its backward: logits exist for one chunk of rows at a time, and are
 * differentiated before the next chunk's are made.
 */
export function headLoss<T extends TensorLike>(
  ops: Ops<T>,
  decoder: Decoder<T>,
  { inputs, options }: { inputs: HeadInputs<T>; options: HeadOptions<T> },
): HeadLoss<T> {
  const rows = inputs.hidden.shape[0] as number
  const { chunkRows, wrt } = options
  if (rows <= chunkRows) {
    const { kl, ntp, ...gradients } = chunkLoss(ops, decoder, { inputs, options })
    return { kl: [kl], ntp: [ntp], ...gradients }
  }
  const [kl, ntp]: [T[], T[]] = [[], []]
  // Filled chunk by chunk, so that nothing as long as all rows exists per chunk.
  const hiddenGradient = ops.zeros({ dtype: 'f32', shape: inputs.hidden.shape })
  let gradients: readonly (T | undefined)[] = wrt.map(() => undefined)
  for (let start = 0; start < rows; start += chunkRows) {
    const part = <V extends T | undefined>(tensor: V): V =>
      tensor && (ops.slice(tensor, { axis: 0, start, length: Math.min(chunkRows, rows - start) }) as V)
    const chunk = chunkLoss(ops, decoder, { inputs: partOfInputs(inputs, part), options })
    kl.push(chunk.kl)
    ntp.push(chunk.ntp)
    ops.accumulate({ into: part(hiddenGradient), x: chunk.hiddenGradient }, { keep: 0, scale: 1 })
    gradients = gradients.map((sum, index) => sumOf(ops, [sum, chunk.gradients[index]]))
  }
  return { kl, ntp, hiddenGradient, gradients }
}

function partOfInputs<T>(
  { hidden, teacher, targets, klGradient, ntpGradient }: HeadInputs<T>,
  part: <V extends T | undefined>(tensor: V) => V,
): HeadInputs<T> {
  return {
    hidden: part(hidden),
    teacher: part(teacher),
    targets: part(targets),
    klGradient: part(klGradient),
    ntpGradient: part(ntpGradient),
  }
}

/** Losses of all rows of the inputs, and the gradients of the total. */
function chunkLoss<T extends TensorLike>(
  ops: Ops<T>,
  decoder: Decoder<T>,
  { inputs, options }: { inputs: HeadInputs<T>; options: HeadOptions<T> },
): { kl: T; ntp: T; hiddenGradient: T; gradients: readonly (T | undefined)[] } {
  const { hidden, targets } = inputs
  const tape = createTape(ops, { wrt: [hidden, ...options.wrt] })
  const logits = decoderLogits(tape.ops, decoder, hidden)
  const teacher = inputs.teacher && decoderLogits(ops, decoder, inputs.teacher)
  const { kl, ce } = tape.ops.lmLoss({ logits, teacher, targets }, { kl: options.kl })
  const [hiddenGradient, ...gradients] = tape.backward([
    { tensor: kl, grad: inputs.klGradient },
    { tensor: ce, grad: inputs.ntpGradient },
  ])
  return { kl, ntp: ce, hiddenGradient: hiddenGradient as T, gradients }
}
