import { type SeededRandom, seededRandom } from '@trimkv/testing'
import { afterAll, expect, it } from 'vitest'
import { type DType, dtypes, elementCount } from './dtype.ts'
import { encodeUses } from './encoder.ts'
import { TrimError } from './errors.ts'
import { loadNative } from './native.ts'
import { nativeError } from './native-error.ts'
import type { AnyOp } from './op.ts'
import type { OpCase } from './op-case.ts'
import { opCases } from './ops/cases.ts'
import { opTable } from './ops/index.ts'
import { isQuantised } from './quantised.ts'

const table = opTable as unknown as Record<string, AnyOp>
const addon = loadNative()
addon.setup(nativeError, encodeUses(addon.opNames, table))
const device = addon.deviceCreate(addon.isas.at(-1)!, 2)
afterAll(() => addon.deviceDispose(device))

const ops = addon.opNames.map((name) => table[name]!).filter(Boolean)
const pick = <T>(random: SeededRandom, items: readonly T[]): T => items[random.int(0, items.length - 1)]!

const wildNumbers = [
  0,
  -0,
  1,
  -1,
  0.5,
  Number.NaN,
  Infinity,
  -Infinity,
  1e300,
  -1e300,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  -(2 ** 63),
  5e-324,
  4,
  64,
]
const wildWords = [0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 1 << 20, 255, 4096]

function makeTensor(random: SeededRandom, dtype: DType, shape: readonly number[]): number {
  const layout = new Float64Array(6)
  layout.set(shape)
  const handle = addon.tensorCreate(device, 1, dtypes[dtype].id, shape.length, layout)
  // Made whole and never written; of zeros is enough here.
  if (isQuantised({ dtype, shape })) return handle
  const count = elementCount(shape)
  const values = dtype === 'i32' ? new Int32Array(count) : new Float32Array(count)
  addon.tensorWrite(
    device,
    handle,
    values.map(() => (random.next() < 0.2 ? pick(random, wildNumbers) : random.int(-1, 9))),
  )
  return handle
}

const scratchTensors = (random: SeededRandom): number[] =>
  Array.from({ length: 12 }, () => {
    const shape = Array.from({ length: random.int(0, 5) }, () => random.int(0, 4))
    const dtype = pick(random, Object.keys(dtypes) as DType[])
    const packed = isQuantised({ dtype, shape }) ? [random.int(0, 40), 32 * random.int(1, 3)] : shape
    return makeTensor(random, dtype, packed)
  })

/** A command buffer and the tensors that were made for it. */
interface Call {
  readonly words: number[]
  readonly scalars: number[]
  readonly handles: number[]
}

/** A call whose shapes may be right while its numbers, and sometimes one of its tensors, are not. */
function plausible(random: SeededRandom, scratch: readonly number[]): Call {
  const op = pick(random, ops)
  const test = opCases[op.name]!.fuzz(random) as OpCase<unknown>
  const specs = { ...test.inputs, ...op.infer(test.inputs, test.attrs) } as Record<
    string,
    { dtype: DType; shape: number[] } | undefined
  >
  const handles = [...Object.keys(op.slots), ...op.outputs].map((name) => {
    const spec = specs[name]
    return spec ? makeTensor(random, spec.dtype, spec.shape) : 0
  })
  const used = handles.map((handle) =>
    random.next() < 0.02 ? pick(random, [...scratch, ...handles]) : handle,
  )
  const scalars = op
    .scalars(test.attrs)
    .map((scalar) => (random.next() < 0.15 ? pick(random, wildNumbers) : scalar))
  return { words: [addon.opNames.indexOf(op.name), used.length, scalars.length, ...used], scalars, handles }
}

/** Anything at all. */
function wild(random: SeededRandom, scratch: readonly number[]): Call {
  const words: number[] = []
  const scalars: number[] = []
  for (let i = random.int(1, 4); i > 0; i--) {
    const op = pick(random, ops)
    const tensors =
      random.next() < 0.8 ? Object.keys(op.slots).length + op.outputs.length : random.int(-2, 20)
    const count =
      random.next() < 0.8 ? op.scalars(opCases[op.name]!.cases[0]!.attrs).length : random.int(-2, 20)
    words.push(
      random.next() < 0.9 ? addon.opNames.indexOf(op.name) : pick(random, [-1, -2, 1e6, ...wildWords]),
      tensors,
      count,
    )
    for (let t = 0; t < tensors; t++)
      words.push(random.next() < 0.9 ? pick(random, scratch) : pick(random, wildWords))
    for (let s = 0; s < count; s++) scalars.push(pick(random, wildNumbers))
  }
  while (random.next() < 0.2 && words.length > 0) words.pop()
  return { words, scalars, handles: [] }
}

/** Runs a buffer at once or as a program. Any error must be ours. */
function attempt(random: SeededRandom, words: readonly number[], scalars: readonly number[]): boolean {
  try {
    const buffers = [Int32Array.from(words), Float64Array.from(scalars)] as const
    if (random.next() < 0.5) addon.submit(device, ...buffers)
    else {
      const program = addon.programCreate(device, ...buffers)
      addon.programRunSync(device, program, () => true)
      addon.programDispose(device, program)
    }
    return true
  } catch (error) {
    if (!TrimError.isInstance(error)) throw error
    return false
  }
}

it('answers 4000 random command buffers with errors or results, never a crash', () => {
  const outcomes = { accepted: 0, refused: 0 }
  for (let seed = 0; seed < 4000; seed++) {
    const random = seededRandom(seed)
    const before = addon.liveTensors(device)
    const scratch = scratchTensors(random)
    const call = seed % 2 === 0 ? wild(random, scratch) : plausible(random, scratch)
    try {
      if (attempt(random, call.words, call.scalars)) outcomes.accepted++
      else outcomes.refused++
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause })
    }
    for (const handle of [...scratch, ...call.handles]) addon.handleFree(device, handle)
    expect(addon.liveTensors(device), `seed ${seed}`).toBe(before)
  }
  expect(outcomes.accepted).toBeGreaterThan(200)
  expect(outcomes.refused).toBeGreaterThan(2000)
})

it('recognises handles that are stale, foreign or made up', () => {
  const layout = Float64Array.of(2)
  const stale = addon.tensorCreate(device, 0, 0, 1, layout)
  addon.handleFree(device, stale)
  const next = addon.tensorCreate(device, 0, 0, 1, layout)
  for (const handle of [0, stale, 1, 0xffffffff, (1 << 20) | 999999]) {
    expect(() => addon.tensorRead(device, handle, new Float32Array(2))).toThrow(/does not exist/)
    expect(addon.handleFree(device, handle)).toBe(false)
  }
  addon.handleFree(device, next)
  for (const id of [0, device + 1, 0xffffffff])
    expect(() => addon.liveTensors(id)).toThrow(/device does not exist/)
})

it('refuses arguments of another kind', () => {
  const handle = addon.tensorCreate(device, 0, 3, 1, Float64Array.of(2))
  expect(() => addon.tensorRead(device, handle, new Float32Array(2))).toThrow(/another type/)
  expect(() => addon.tensorRead(device, handle, [1, 2] as unknown as Int32Array)).toThrow(/not a typed array/)
  expect(() => addon.tensorCreate(device, 9, 0, 1, Float64Array.of(2))).toThrow(/no kind of storage/)
  expect(() => addon.tensorCreate(device, 0, 9, 1, Float64Array.of(2))).toThrow(/no dtype/)
  expect(() => addon.tensorCreate(device, 0, 0, 3, Float64Array.of(2))).toThrow(/too short/)
  expect(() => addon.tensorCreate('x' as unknown as number, 0, 0, 1, Float64Array.of(2))).toThrow()
  expect(() => addon.deviceCreate(0, 0)).toThrow(/threads/)
  expect(() => addon.deviceCreate(7, 1)).toThrow(/instruction set/)
  addon.handleFree(device, handle)
})
