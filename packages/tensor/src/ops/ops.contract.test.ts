import { closeness, relativeError, seededRandom } from '@trimkv/testing'
import { afterAll, describe, expect, it } from 'vitest'
import { type DType, dtypes, elementCount, type TensorSpec } from '../dtype.ts'
import { TrimError } from '../errors.ts'
import { NativeDevice, supportedIsas } from '../native-device.ts'
import type { AnyOp, SlotKind } from '../op.ts'
import type { CaseInput, CaseRandom, OpCase } from '../op-case.ts'
import { isQuantised, type QuantisedSpec, quantise } from '../quantised.ts'
import { type RefTensor, referenceOps, refTensor } from '../reference-backend.ts'
import { roundTo } from '../round.ts'
import { opCases } from './cases.ts'
import { opTable } from './index.ts'

type Case = OpCase<unknown>
type Values = Float32Array | Int32Array
type Named<V> = Record<string, V>

const table = opTable as unknown as Named<AnyOp>
const threadCounts = [1, 2, 3, 7] as const
/** Sanitizers, which are slow, ask for fewer. */
const fuzzCases = Number(process.env.TRIMKV_FUZZ_CASES ?? 200)
const guard = 5
const padding = 3
const defaultTolerance = 1e-5

const devices = new Map<string, NativeDevice>()
function deviceFor(isa: string, threads: number): NativeDevice {
  const key = `${isa}/${threads}`
  const device = devices.get(key) ?? new NativeDevice(threads, isa)
  devices.set(key, device)
  return device
}
afterAll(() => {
  for (const device of devices.values()) device.dispose()
})

const slotsOf = (op: AnyOp): [string, SlotKind][] => Object.entries(op.slots as Named<SlotKind>)
const isInout = (kind: SlotKind): boolean => kind === 'inout' || kind === 'optionalInout'

/** Values of an input, as the dtype can hold them: the reference and the kernel start from the same numbers. */
function draw(input: CaseInput, random: CaseRandom): Float64Array {
  return Float64Array.from({ length: elementCount(input.shape) }, (_, i) => {
    const value = input.fill ? input.fill(i, random) : random.normal()
    return input.dtype === 'i32' ? value : roundTo(input.dtype, Math.fround(value))
  })
}

/** A case with its input values and what the reference makes of them: outputs and tensors changed in place. */
interface Prepared {
  readonly op: AnyOp
  readonly test: Case
  readonly values: Named<Float64Array>
  readonly outputs: Named<TensorSpec>
  readonly expected: Named<Float64Array>
}

function prepare(op: AnyOp, test: Case, random: CaseRandom): Prepared {
  const values: Named<Float64Array> = {}
  const tensors: Named<RefTensor> = {}
  for (const [slot, input] of Object.entries(test.inputs)) {
    values[slot] = draw(input, random)
    tensors[slot] = refTensor(values[slot], input)
  }
  const outputs = op.infer(tensors, test.attrs) as Named<TensorSpec>
  const reference = referenceOps() as unknown as Named<(inputs: unknown, attrs: unknown) => unknown>
  const result = reference[op.name]!(tensors, test.attrs)
  const named = (
    op.outputs.length === 1 && op.outputs[0] === 'out' ? { out: result } : (result ?? {})
  ) as Named<RefTensor>
  for (const [slot, kind] of slotsOf(op)) if (isInout(kind) && tensors[slot]) named[slot] = tensors[slot]
  const expected = Object.fromEntries(Object.entries(named).map(([name, tensor]) => [name, tensor.toArray()]))
  return { op, test, values, outputs, expected }
}

/** A tensor inside a larger one: guard elements before and after it and, when strided, between its rows. */
class Guarded {
  readonly handle: number
  readonly #flat: number
  readonly #size: number
  readonly #spec: TensorSpec
  readonly #device: NativeDevice

  constructor(device: NativeDevice, spec: TensorSpec, freeAxes: number) {
    const strides = new Array<number>(spec.shape.length)
    let step = 1
    for (let axis = spec.shape.length - 1; axis >= 0; axis--) {
      if (axis < freeAxes && axis < spec.shape.length - 1) step += padding
      strides[axis] = step
      step *= spec.shape[axis]!
    }
    this.#device = device
    this.#spec = spec
    this.#size = step + 2 * guard
    this.#flat = device.create('empty', { dtype: spec.dtype, shape: [this.#size] })
    this.handle = device.view(this.#flat, { offset: guard, shape: spec.shape, strides })
    // NaN for floats, in the tensor too: what an op reads there or fails to write shows.
    device.write(this.#flat, this.#array(this.#size).fill(spec.dtype === 'i32' ? -123456789 : Number.NaN))
  }

  write(values: ArrayLike<number>): void {
    const array = this.#array(values.length)
    array.set(values)
    this.#device.write(this.handle, array)
  }

  read(): Values {
    return this.#read(this.handle, elementCount(this.#spec.shape))
  }

  /** Everything but the tensor itself. */
  surroundings(): Values {
    const inside = this.read()
    this.write(inside.slice().fill(1))
    const all = this.#read(this.#flat, this.#size)
    this.write(inside)
    return all
  }

  free(): void {
    this.#device.free(this.handle)
    this.#device.free(this.#flat)
  }

  #array(length: number): Values {
    return this.#spec.dtype === 'i32' ? new Int32Array(length) : new Float32Array(length)
  }

  #read(handle: number, length: number): Values {
    const array = this.#array(length)
    this.#device.read(handle, array)
    return array
  }
}

/** A quantised weight: only ever read, and made whole. */
class Packed {
  readonly handle: number
  readonly #spec: QuantisedSpec
  readonly #device: NativeDevice

  constructor(device: NativeDevice, spec: QuantisedSpec, values: ArrayLike<number>) {
    this.#device = device
    this.#spec = spec
    this.handle = device.createFrom(quantise(values, spec), spec)
  }

  surroundings(): Values {
    const all = new Float32Array(elementCount(this.#spec.shape))
    this.#device.read(this.handle, all)
    return all
  }

  free(): void {
    this.#device.free(this.handle)
  }
}

interface Setting {
  readonly isa: string
  readonly threads: number
  readonly strided: boolean
}

const bits = (values: Values): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength)
const axesOf = (input: CaseInput | undefined): number => Number(input?.strided ?? 0)

/** Runs a case natively; checks that nothing but outputs and in-place tensors has changed, and gives those. */
function execute({ op, test, values, outputs }: Prepared, { isa, threads, strided }: Setting): Named<Values> {
  const device = deviceFor(isa, threads)
  const before = device.liveTensors()
  const placed: Named<Guarded | Packed> = {}
  for (const [slot, input] of Object.entries(test.inputs)) {
    if (isQuantised(input)) {
      placed[slot] = new Packed(device, input, values[slot]!)
      continue
    }
    const tensor = new Guarded(device, input, strided ? axesOf(input) : 0)
    tensor.write(values[slot]!)
    placed[slot] = tensor
  }
  for (const [name, spec] of Object.entries(outputs)) placed[name] = new Guarded(device, spec, 0)
  const surroundings = Object.values(placed).map((tensor) => bits(tensor.surroundings()))
  const names = [...slotsOf(op).map(([slot]) => slot), ...(op.outputs as string[])]
  device.submit({
    op,
    handles: names.map((name) => placed[name]?.handle ?? 0),
    scalars: op.scalars(test.attrs),
  })
  const results: Named<Values> = {}
  for (const [index, [name, tensor]] of Object.entries(placed).entries()) {
    if (bits(tensor.surroundings()).compare(surroundings[index]!) !== 0)
      throw new Error(`memory around ${name} was written`)
    if (tensor instanceof Packed) {
      tensor.free()
      continue
    }
    const kind = (op.slots as Named<SlotKind>)[name]
    if (!kind || isInout(kind)) results[name] = tensor.read()
    else if (relativeError(tensor.read(), values[name]!) !== 0)
      throw new Error(`the input ${name} was written`)
    tensor.free()
  }
  if (device.liveTensors() !== before) throw new Error('tensors leaked')
  return results
}

function compare({ test, expected }: Prepared, results: Named<Values>): void {
  const tolerance = test.tolerance ?? defaultTolerance
  for (const [name, wanted] of Object.entries(expected)) {
    const got = results[name]!
    const { relative, largest, worst, mismatch } = closeness(got, wanted)
    const at = mismatch ?? worst
    const bound = got instanceof Int32Array ? 0 : tolerance
    const scale =
      wanted.reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0) || 1
    if (mismatch === undefined && relative <= bound && largest <= 10 * bound * scale) continue
    throw new Error(`${name}[${at}] is ${got[at]}, expected ${wanted[at]} (relative error ${relative})`)
  }
}

function check(prepared: Prepared, setting: Setting): Named<Values> {
  try {
    const results = execute(prepared, setting)
    compare(prepared, results)
    return results
  } catch (cause) {
    const { isa, threads, strided } = setting
    const where = `${prepared.op.name} ${prepared.test.name} on ${isa}, ${threads} threads${strided ? ', strided' : ''}`
    throw new Error(`${where}: ${(cause as Error).message}`, { cause })
  }
}

/** Calls with one tensor changed: another rank, size or dtype. Outputs stay as they were. */
function* distorted(specs: Named<TensorSpec>): Generator<{ name: string; spec: TensorSpec }> {
  for (const [name, { dtype, shape }] of Object.entries(specs)) {
    yield { name, spec: { dtype, shape: [...shape, 2] } }
    yield { name, spec: { dtype, shape: shape.slice(1) } }
    for (const axis of shape.keys()) {
      for (const change of [1, -1]) {
        const size = shape[axis]! + change
        if (size >= 0) yield { name, spec: { dtype, shape: shape.with(axis, size) } }
      }
    }
    for (const other of Object.keys(dtypes) as DType[])
      if (other !== dtype) yield { name, spec: { dtype: other, shape } }
  }
}

/** Whether the TypeScript rule accepts the inputs and gives exactly these outputs. */
function ruleAccepts(op: AnyOp, test: Case, specs: Named<TensorSpec>): boolean {
  try {
    const inferred = op.infer(specs, test.attrs) as Named<TensorSpec>
    return Object.entries(inferred).every(
      ([name, { dtype, shape }]) =>
        specs[name]!.dtype === dtype && String(specs[name]!.shape) === String(shape),
    )
  } catch {
    return false
  }
}

/** Runs the op natively on tensors of zeros, without the TypeScript rule. */
function submitUnchecked(op: AnyOp, test: Case, specs: Named<TensorSpec>): unknown {
  const device = deviceFor(supportedIsas().at(-1)!, 2)
  const names = [...slotsOf(op).map(([slot]) => slot), ...(op.outputs as string[])]
  const handles: number[] = []
  try {
    // A quantised tensor of some shapes is refused itself.
    for (const name of names) handles.push(specs[name] ? device.create('zeros', specs[name]) : 0)
    device.submit({ op, handles, scalars: op.scalars(test.attrs) })
    return undefined
  } catch (error) {
    return error
  } finally {
    for (const handle of handles) device.free(handle)
  }
}

it('has cases for every op and no others', () => {
  expect(Object.keys(opCases).sort()).toEqual(Object.keys(opTable).sort())
})

describe.each(Object.entries(opCases))('%s', (name, { cases, fuzz }) => {
  const op = table[name]!

  it('agrees with its f64 reference on every instruction set, contiguous and strided', () => {
    for (const [index, test] of cases.entries()) {
      const prepared = prepare(op, test, seededRandom(index))
      for (const isa of supportedIsas()) {
        for (const threads of [1, 3]) {
          for (const strided of [false, true]) check(prepared, { isa, threads, strided })
        }
      }
    }
  })

  it('gives the same bits for any number of threads', () => {
    for (const [index, test] of cases.entries()) {
      const prepared = prepare(op, test, seededRandom(index))
      for (const isa of supportedIsas()) {
        const [first, ...others] = threadCounts.map((threads) =>
          execute(prepared, { isa, threads, strided: false }),
        )
        for (const other of others) {
          for (const [output, values] of Object.entries(first!)) {
            expect(
              bits(other[output]!).equals(bits(values)),
              `${name} ${test.name} ${output} on ${isa}`,
            ).toBe(true)
          }
        }
      }
    }
  })

  it(`agrees with its reference on ${fuzzCases} random cases`, () => {
    const isas = supportedIsas()
    for (let seed = 0; seed < fuzzCases; seed++) {
      const random = seededRandom(seed)
      try {
        const prepared = prepare(op, fuzz(random) as Case, random)
        const threads = threadCounts[seed % threadCounts.length]!
        check(prepared, { isa: isas[seed % isas.length]!, threads, strided: random.next() < 0.5 })
      } catch (cause) {
        throw new Error(`seed ${seed}: ${(cause as Error).message}`, { cause })
      }
    }
  })

  it('refuses natively every shape and dtype that its TypeScript rule refuses', () => {
    expect(deviceFor(supportedIsas()[0]!, 1).opNames).toContain(name)
    for (const test of cases) {
      const inputs: Named<TensorSpec> = test.inputs
      const specs = { ...inputs, ...(op.infer(inputs, test.attrs) as Named<TensorSpec>) }
      for (const { name: changed, spec } of distorted(specs)) {
        const next = { ...specs, [changed]: spec }
        if (ruleAccepts(op, test, next)) continue
        const error = submitUnchecked(op, test, next)
        const what = `${name} ${test.name} with ${changed} ${spec.dtype} [${spec.shape.join(', ')}]`
        expect(TrimError.isInstance(error), `${what}: ${error}`).toBe(true)
      }
    }
  })
})
