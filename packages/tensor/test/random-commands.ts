import { pick, type SeededRandom } from '@trimkv/testing'
import { type DType, dtypes, elementCount } from '../src/dtype.ts'
import { encodeUses } from '../src/encoder.ts'
import { TrimError } from '../src/errors.ts'
import { loadNative } from '../src/native.ts'
import { nativeError } from '../src/native-error.ts'
import type { AnyOp } from '../src/op.ts'
import type { OpCase } from '../src/op-case.ts'
import { opCases } from '../src/ops/cases.ts'
import { opTable } from '../src/ops/index.ts'
import { contiguousStrides } from '../src/ops.ts'
import { isQuantised } from '../src/quantised.ts'

const table = opTable as unknown as Record<string, AnyOp>
const addon = loadNative()
addon.setup(nativeError, encodeUses(addon.opNames, table))
const device = addon.deviceCreate(addon.isas.at(-1)!, 2)

const ops = addon.opNames.map((name) => table[name]!).filter(Boolean)

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

/** A window of this shape on a tensor that other windows look on too, with any strides; 0 when it does not fit. */
function viewOf(random: SeededRandom, base: number, shape: readonly number[]): number {
  const strides = contiguousStrides(shape).map((stride) =>
    random.next() < 0.7 ? stride : pick(random, [0, 1, 2, stride + 3, 2 * stride, -stride, 4096, 2 ** 40]),
  )
  const layout = Float64Array.from([...shape, ...strides])
  try {
    return addon.tensorView(device, base, random.int(0, 9), shape.length, layout)
  } catch (error) {
    if (!TrimError.isInstance(error)) throw error
    return 0
  }
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
  const shared =
    random.next() < 0.25 ? makeTensor(random, pick(random, Object.values(specs))!.dtype, [4096]) : 0
  const used = handles.map((handle, slot) => {
    if (random.next() < 0.02) return pick(random, [...scratch, ...handles])
    if (!shared || !handle || random.next() < 0.4) return handle
    const name = [...Object.keys(op.slots), ...op.outputs][slot]!
    const view = viewOf(random, shared, specs[name]!.shape)
    if (view) handles.push(view)
    return view || handle
  })
  if (shared) handles.push(shared)
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

/** Several calls one after the other, which may work on the same tensors. */
function joined(calls: readonly Call[]): Call {
  return {
    words: calls.flatMap(({ words }) => words),
    scalars: calls.flatMap(({ scalars }) => scalars),
    handles: calls.flatMap(({ handles }) => handles),
  }
}

const randomCall = (random: SeededRandom, scratch: readonly number[]): Call =>
  random.next() < 0.5 ? wild(random, scratch) : plausible(random, scratch)

/** Runs a buffer at once or as a program. */
function submit(random: SeededRandom, { words, scalars }: Call): void {
  const buffers = [Int32Array.from(words), Float64Array.from(scalars)] as const
  if (random.next() < 0.5) addon.submit(device, ...buffers)
  else {
    const program = addon.programCreate(device, ...buffers)
    try {
      addon.programRunSync(device, program, () => true)
    } finally {
      addon.programDispose(device, program)
    }
  }
}

/**
 * Hands random commands to the native core: handles that are stale or made up, shapes and scalars that do not fit, strides
 * and overlaps of any kind.
 * @throws TrimError when they are refused; any other error is a fault, also that of tensors that stay
 */
export function submitRandomCommands(random: SeededRandom): void {
  const before = addon.liveTensors(device)
  const scratch = scratchTensors(random)
  const calls = Array.from({ length: random.int(1, 3) }, () => randomCall(random, scratch))
  const call = joined(calls)
  const left = (): number => {
    for (const handle of [...scratch, ...call.handles]) addon.handleFree(device, handle)
    return addon.liveTensors(device) - before
  }
  try {
    submit(random, call)
  } catch (error) {
    if (left() === 0) throw error
  }
  if (left() !== 0) throw new Error(`${left()} tensors were not freed`)
}

/** Frees the device of {@link submitRandomCommands}. */
export const disposeFuzzDevice = (): void => addon.deviceDispose(device)
