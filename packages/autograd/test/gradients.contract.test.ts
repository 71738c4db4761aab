import {
  type AnyOp,
  createDevice,
  elementCount,
  gradients,
  type Ops,
  opTable,
  type RefTensor,
  referenceOps,
  refTensor,
  scope,
  type Tensor,
  type TensorSpec,
} from '@trimkv/tensor'
import { seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { createTape } from '../src/index.ts'
import { gradcheck } from '../src/testing/index.ts'
import { type CaseInput, type GradientCase, type GradientCheck, gradientCases } from './gradient-cases.ts'

type Named<V> = Readonly<Record<string, V>>
type Values = ArrayLike<number>

const table = opTable as unknown as Named<AnyOp>
const checks = Object.entries(gradientCases as Named<GradientCheck>)
const gradientCheck = (name: string): GradientCheck => (gradientCases as Named<GradientCheck>)[name]!

const device = createDevice({ threads: 2 })
afterAll(() => device[Symbol.dispose]())

const specOf = ({ dtype = 'f32', shape }: CaseInput): TensorSpec => ({ dtype, shape })

function valuesOf({ inputs }: GradientCase, seed: number): Named<Float64Array> {
  const random = seededRandom(seed)
  return Object.fromEntries(
    Object.entries(inputs).map(([slot, { shape, fill }]) => [
      slot,
      Float64Array.from({ length: elementCount(shape) }, (_, i) =>
        fill ? fill(random, i) : random.normal(),
      ),
    ]),
  )
}

function refTensors(test: GradientCase, seed: number): Named<RefTensor> {
  const values = valuesOf(test, seed)
  return Object.fromEntries(
    Object.entries(test.inputs).map(([slot, input]) => [slot, refTensor(values[slot]!, specOf(input))]),
  )
}

/** Inputs of a case that it is differentiated by. */
const variables = ({ by }: GradientCheck, { inputs }: GradientCase): string[] =>
  by.filter((slot) => inputs[slot] && specOf(inputs[slot]).dtype === 'f32')

/** Results of an op that can be differentiated. */
function callOp<T>(ops: Ops<T>, name: string, { inputs, attrs }: { inputs: Named<T>; attrs: unknown }): T[] {
  const call = (ops as unknown as Named<(inputs: Named<T>, attrs: unknown) => unknown>)[name]!
  const result = call(inputs, attrs)
  const outputs = table[name]!.outputs as readonly string[]
  if (outputs.length === 1) return [result as T]
  return (gradientCheck(name).of ?? outputs).map((output) => (result as Named<T>)[output]!)
}

describe('the table of gradients', () => {
  it('has a check for every entry', () => {
    expect(Object.keys(gradientCases).sort()).toEqual(Object.keys(gradients).sort())
  })

  it.each(checks)('%s: every input is differentiated by in some case, or a constant', (name, check) => {
    const { by, constant = [], cases } = check
    expect([...by, ...constant].sort()).toEqual(Object.keys(table[name]!.slots).sort())
    expect(new Set(cases.flatMap((test) => variables(check, test)))).toEqual(new Set(by))
  })
})

describe.each(checks)('%s', (name, check) => {
  it.each(check.cases.map((test, index) => [index, test] as const))(
    'agrees with differences in f64, case %i',
    (index, test) => {
      const inputs = refTensors(test, index + 1)
      const wrt = Object.fromEntries(variables(check, test).map((slot) => [slot, inputs[slot]!]))
      expect(gradcheck({ wrt, run: ({ ops }) => callOp(ops, name, { inputs, attrs: test.attrs }) })).toEqual(
        [],
      )
    },
  )

  const constants = (check.constant ?? []).filter((slot) =>
    check.cases.some(({ inputs }) => inputs[slot] && specOf(inputs[slot]).dtype === 'f32'),
  )
  it.each(constants)('refuses to be differentiated by %s', (slot) => {
    const test = check.cases[0]!
    const inputs = refTensors(test, 1)
    const tape = createTape(referenceOps(), { wrt: [inputs[slot]!] })
    const results = callOp(tape.ops, name, { inputs, attrs: test.attrs })
    expect(() => tape.backward(results.map((tensor) => ({ tensor, grad: tensor })))).toThrowError(
      expect.objectContaining({ code: 'TRIMKV_UNSUPPORTED', details: { op: name, slot } }),
    )
  })

  it.each(check.large.map((test, index) => [index, test] as const))(
    'is the transpose of the derivative on a device, case %i',
    (index, test) => {
      const { derivative, gradient } = scope(() => dotProducts({ name, check, test, seed: index + 1 }))
      expect(derivative).toBeGreaterThan(0)
      expect(Math.abs(gradient - derivative) / derivative).toBeLessThan(2e-4)
    },
  )
})

const step = 4e-3

const dot = (a: Values, b: Values): number =>
  Array.from(a).reduce((sum, x, i) => sum + x * (b[i] as number), 0)

interface DotProducts {
  readonly name: string
  readonly check: GradientCheck
  readonly test: GradientCase
  readonly seed: number
}

/** ⟨J·v, u⟩ by a difference along v, and ⟨v, Jᵀ·u⟩ by the tape, for a random v and u = J·v. */
function dotProducts({ name, check, test, seed }: DotProducts): { derivative: number; gradient: number } {
  const values = valuesOf(test, seed)
  const random = seededRandom(seed + 1000)
  const slots = variables(check, test)
  const direction = Object.fromEntries(
    slots.map((slot) => [
      slot,
      values[slot]!.map(() => (0.5 + random.normal()) * (test.inputs[slot]!.scale ?? 1)),
    ]),
  )
  const tensorsAt = (shift: number): Named<Tensor> =>
    Object.fromEntries(
      Object.entries(test.inputs).map(([slot, input]) => {
        const along = direction[slot]
        const shifted = along ? values[slot]!.map((x, i) => x + shift * along[i]!) : values[slot]!
        return [slot, device.tensor(shifted, specOf(input))]
      }),
    )
  const resultsAt = (shift: number): Tensor[] =>
    callOp(device.ops, name, { inputs: tensorsAt(shift), attrs: test.attrs })
  const [above, below] = [resultsAt(step), resultsAt(-step)]
  const slopes = above.map((result, at) => {
    const lower = below[at]!.read()
    return Float32Array.from(result.read(), (x, i) => (x - lower[i]!) / (2 * step))
  })
  const inputs = tensorsAt(0)
  const tape = createTape(device.ops, { wrt: slots.map((slot) => inputs[slot]!) })
  const results = callOp(tape.ops, name, { inputs, attrs: test.attrs })
  const grads = tape.backward(
    results.map((tensor, at) => ({
      tensor,
      grad: device.tensor(slopes[at]!, { dtype: 'f32', shape: tensor.shape }),
    })),
  )
  return {
    derivative: slopes.reduce((sum, slope) => sum + dot(slope, slope), 0),
    gradient: slots.reduce((sum, slot, at) => sum + dot(direction[slot]!, grads[at]!.read()), 0),
  }
}
