import { fail, type RefTensor, referenceOps, refTensor } from '@trimkv/tensor'
import { createTape, type Tape } from '../tape.ts'

/** A computation to check, and how exactly. */
export interface GradcheckOptions {
  /** Tensors to differentiate by, with a name for reports; f32, whose elements the reference holds in f64. */
  readonly wrt: Readonly<Record<string, RefTensor>>
  /** The computation, on the ops it is given; deterministic, and smooth where it is looked at. */
  readonly run: (tape: Pick<Tape<RefTensor>, 'ops' | 'segment'>) => RefTensor | readonly RefTensor[]
  /** Step of the differences. Default 1e-5. */
  readonly step?: number
  /** Accepted error, relative to the largest derivative by the same tensor. Default 1e-6. */
  readonly tolerance?: number
  /** @see TapeOptions */
  readonly recompute?: boolean
}

/** A derivative on which the tape and the differences do not agree. */
export interface GradientMismatch {
  readonly tensor: string
  /** Row-major. */
  readonly index: number
  readonly gradient: number
  readonly difference: number
}

/** Rounding of f64 in the differences, which no tolerance relative to a small derivative allows for. */
const noise = 1e-8

const asList = (results: RefTensor | readonly RefTensor[]): readonly RefTensor[] =>
  Array.isArray(results) ? results : [results as RefTensor]

/** Weights of the sum that is differentiated: fixed, and different for every element. */
const weightsOf = (result: RefTensor, position: number): Float64Array =>
  result.toArray().map((_, index) => Math.sin(1.3 * index + position + 1))

function weightedSum(results: readonly RefTensor[]): number {
  let sum = 0
  for (const [position, result] of results.entries()) {
    const weights = weightsOf(result, position)
    for (const [index, value] of result.toArray().entries()) sum += value * (weights[index] as number)
  }
  return sum
}

/** Central differences of `value` by every element of a tensor, which is left as it was. */
function differences(tensor: RefTensor, step: number, value: () => number): Float64Array {
  const start = tensor.toArray()
  const at = (index: number, shift: number): number => {
    tensor.assign(start.map((x, i) => (i === index ? x + shift : x)))
    return value()
  }
  const result = start.map((_, index) => (at(index, step) - at(index, -step)) / (2 * step))
  tensor.assign(start)
  return result
}

/**
 * Compares the gradients of a tape with central differences over the f64 reference: a fixed weighted sum of all results
 * is differentiated by every element of every tensor.
 * @returns where they differ: nothing when the gradients are right
 * @throws TRIMKV_DTYPE for a tensor that is not f32
 */
export function gradcheck(options: GradcheckOptions): GradientMismatch[] {
  const { wrt, run, step = 1e-5, tolerance = 1e-6, recompute = false } = options
  const names = Object.keys(wrt)
  const tensors = Object.values(wrt)
  for (const { dtype } of tensors) {
    if (dtype !== 'f32') fail('TRIMKV_DTYPE', `[gradcheck] a tensor is ${dtype}`, { why: ['expected f32'] })
  }
  const ops = referenceOps()
  const tape = createTape(ops, { wrt: tensors, recompute })
  const seeds = asList(run(tape)).map((tensor, position) => ({
    tensor,
    grad: refTensor(weightsOf(tensor, position), { dtype: 'f32', shape: tensor.shape }),
  }))
  const gradients = tape.backward(seeds)
  const value = (): number => weightedSum(asList(run({ ops, segment: () => {} })))
  return tensors.flatMap((tensor, at) => {
    const expected = differences(tensor, step, value)
    const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0)
    const actual = gradients[at]?.toArray() ?? new Float64Array(expected.length)
    return [...expected].flatMap((difference, index): GradientMismatch[] => {
      const gradient = actual[index] as number
      const isClose = Math.abs(gradient - difference) <= tolerance * largest + noise
      return isClose ? [] : [{ tensor: names[at] as string, index, gradient, difference }]
    })
  })
}
