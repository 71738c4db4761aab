import { type AnyGradient, fail, gradients, isContiguous, type Ops, type TensorLike } from '@trimkv/tensor'
import type { DependentCall, History } from './history.ts'
import type { Named } from './intercept.ts'
import { Recomputation } from './recomputation.ts'
import { viewGradients } from './view-gradients.ts'

/** A tensor of the tape and the gradient of the loss with respect to it, f32, of the same shape. */
export interface Seed<T> {
  readonly tensor: T
  readonly grad: T
}

const table = { ...gradients, ...viewGradients } as unknown as Named<AnyGradient | undefined>

/** Gradients by tensor. Contributions are added in the order in which they come, which is always the same. */
class GradientSums<T extends TensorLike> {
  readonly #ops: Ops<T>
  readonly #sums = new Map<T, T>()

  constructor(ops: Ops<T>) {
    this.#ops = ops
  }

  add(tensor: T, grad: T): void {
    const sum = this.#sums.get(tensor)
    this.#sums.set(tensor, sum ? this.#ops.mix({ a: sum, b: grad }, { a: 1, b: 1 }) : grad)
  }

  get(tensor: T): T | undefined {
    return this.#sums.get(tensor)
  }

  /** The sum, which is complete: nothing comes to a tensor after the call that made it was differentiated. */
  take(tensor: T): T | undefined {
    const sum = this.#sums.get(tensor)
    this.#sums.delete(tensor)
    return sum
  }
}

function checkSeed({ tensor, grad }: Seed<TensorLike>): void {
  if (grad.dtype !== 'f32')
    fail('TRIMKV_DTYPE', `[backward] a gradient is ${grad.dtype}`, { why: ['expected f32'] })
  if (`${grad.shape}` !== `${tensor.shape}`) {
    fail('TRIMKV_SHAPE', `[backward] a gradient has shape [${grad.shape.join(', ')}]`, {
      why: [`its tensor has shape [${tensor.shape.join(', ')}]`],
    })
  }
}

/** Gradients that have come to the outputs of a call, or nothing when none has. */
function outputGrads<T extends TensorLike>(
  { outputs }: DependentCall<T>,
  sums: GradientSums<T>,
): Named<T | undefined> | undefined {
  const grads = Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, sums.take(tensor)]))
  return Object.values(grads).some((grad) => grad !== undefined) ? grads : undefined
}

interface Step<T> {
  readonly ops: Ops<T>
  readonly grads: Named<T | undefined>
  readonly wants: (slot: PropertyKey) => boolean
}

/** The gradients of the inputs of one call that are wanted. */
function inputGrads<T extends TensorLike>(call: DependentCall<T>, step: Step<T>): [T, T][] {
  const { name, inputs, outputs, attrs = {} } = call
  const gradient = table[name]
  if (!gradient) {
    return fail('TRIMKV_UNSUPPORTED', `[${name}] has no gradient`, {
      why: ['a gradient flows through its result'],
      details: { op: name },
    })
  }
  const grads = gradient({ inputs, outputs, attrs, ...step } as never) as Named<T | undefined>
  return Object.entries(inputs).flatMap(([slot, tensor]): [T, T][] => {
    if (!tensor || !step.wants(slot)) return []
    const grad = grads[slot]
    if (grad) return [[tensor, grad]]
    return fail('TRIMKV_UNSUPPORTED', `[${name}] has no gradient with respect to ${slot}`, {
      why: ['a gradient flows through it to what is differentiated by'],
      details: { op: name, slot },
    })
  })
}

export interface Differentiation<T> {
  readonly wrt: readonly T[]
  readonly seeds: readonly Seed<T>[]
  readonly recompute: boolean
}

/** Goes through the calls from the last to the first. @returns one gradient per `wrt`, absent where none came */
export function differentiate<T extends TensorLike>(
  ops: Ops<T>,
  history: History<T>,
  { wrt, seeds, recompute }: Differentiation<T>,
): (T | undefined)[] {
  const sums = new GradientSums<T>(ops)
  for (const seed of seeds) {
    checkSeed(seed)
    const { tensor, grad } = seed
    if (history.depends(tensor)) {
      sums.add(tensor, isContiguous(grad) ? grad : ops.copy({ x: grad }, { dtype: 'f32' }))
    }
  }
  const again = recompute ? new Recomputation(ops, history) : undefined
  for (const call of history.calls.toReversed()) {
    const grads = outputGrads(call, sums)
    if (!grads) continue
    again?.enter(call.segment)
    const wants = (slot: PropertyKey): boolean => history.depends(call.inputs[slot as string])
    for (const [tensor, grad] of inputGrads(call, { ops: again?.ops ?? ops, grads, wants })) {
      sums.add(tensor, grad)
    }
  }
  return wrt.map((tensor) => sums.get(tensor))
}
