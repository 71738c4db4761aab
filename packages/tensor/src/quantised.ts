import { elementCount, type TensorSpec } from './dtype.ts'
import { fail } from './errors.ts'
import { bitsOfF16, roundTo, valueOfF16 } from './round.ts'

/** Storage formats of weights that hold several elements at once. */
export type QuantisedDType = 'q8' | 'q4'

/** A weight in a quantised format: [O, K], and 32 divides K. */
export interface QuantisedSpec {
  readonly dtype: QuantisedDType
  readonly shape: readonly number[]
}

/** Rows that are stored together. */
export const quantisedRows = 16
/** Elements of a row that share a scale. */
export const quantisedDepth = 32

const scaleBytes = 2 * quantisedRows
const valueBytes = { q8: quantisedRows * quantisedDepth, q4: (quantisedRows * quantisedDepth) / 2 } as const

/** Whether a tensor holds blocks of small integers with a scale. */
export const isQuantised = <S extends TensorSpec>(spec: S): spec is S & QuantisedSpec =>
  spec.dtype === 'q8' || spec.dtype === 'q4'

/** Bytes of 16 rows by 32 elements. */
const quantisedBlockBytes = (dtype: QuantisedDType): number => scaleBytes + valueBytes[dtype]

/**
 * Bytes of a quantised tensor; rows are filled up to a multiple of 16 with zeros.
 * @throws TRIMKV_SHAPE unless the shape is [O, K] with a K that 32 divides
 */
export function quantisedBytes({ dtype, shape }: QuantisedSpec): number {
  const [rows, depth] = shape
  if (shape.length !== 2 || rows === undefined || !depth || depth % quantisedDepth !== 0) {
    return fail('TRIMKV_SHAPE', `a tensor [${shape.join(', ')}] cannot be ${dtype}`, {
      why: [`expected two axes, the second a multiple of ${quantisedDepth}`],
      details: { dtype, shape },
    })
  }
  return Math.ceil(rows / quantisedRows) * (depth / quantisedDepth) * quantisedBlockBytes(dtype)
}

/** Where the blocks of a tensor lie. */
interface Block {
  /** Of the 16 rows, and of the 32 elements of the depth. */
  readonly row: number
  readonly depth: number
  /** Offset in the bytes of the tensor. */
  readonly at: number
}

function* blocksOf(spec: QuantisedSpec): Generator<Block> {
  const [rows, depth] = spec.shape as [number, number]
  let at = 0
  for (let row = 0; row < rows; row += quantisedRows) {
    for (let k = 0; k < depth; k += quantisedDepth) {
      yield { row, depth: k, at }
      at += quantisedBlockBytes(spec.dtype)
    }
  }
}

/** Byte of element `i` of row `lane` after the scales of a block. In q4 elements i and 16 + i share it. */
const byteOf = (lane: number, i: number): number => 64 * (i >> 2) + 4 * lane + (i & 3)

/** Scale and integers of 32 elements, as one row of a block. */
export interface QuantisedRun {
  /** f16, as a number. */
  readonly scale: number
  /** −127 … 127 in q8, −8 … 7 in q4. */
  readonly values: Int8Array
}

/**
 * Stores quantised runs: how bytes of another tool's blocks become ours.
 * @param runOf the run of elements `depth` … `depth + 31` of a row; may be reused from call to call
 */
export function packQuantised(
  spec: QuantisedSpec,
  runOf: (row: number, depth: number) => QuantisedRun,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(quantisedBytes(spec))
  const view = new DataView(bytes.buffer)
  const rows = spec.shape[0]!
  // Rows that are not there hold zeros: in q4 a zero is stored as 8.
  if (spec.dtype === 'q4') bytes.fill(0x88)
  for (const { row, depth, at } of blocksOf(spec)) {
    for (let lane = 0; lane < quantisedRows; lane++) {
      const run = row + lane < rows ? runOf(row + lane, depth) : undefined
      view.setUint16(at + 2 * lane, run ? bitsOfF16(run.scale) : 0, true)
      if (run)
        packRun(bytes.subarray(at + scaleBytes, at + quantisedBlockBytes(spec.dtype)), lane, {
          spec,
          values: run.values,
        })
    }
  }
  return bytes
}

function packRun(
  block: Uint8Array,
  lane: number,
  { spec, values }: { spec: QuantisedSpec; values: Int8Array },
): void {
  if (spec.dtype === 'q8') {
    for (let i = 0; i < quantisedDepth; i++) block[byteOf(lane, i)] = values[i]!
    return
  }
  for (let i = 0; i < 16; i++) block[byteOf(lane, i)] = (values[i]! + 8) | ((values[16 + i]! + 8) << 4)
}

/**
 * Quantises a weight, symmetric, 32 elements to an f16 scale. q8: scale = max |w| / 127. q4: of several scales the one with the
 * least squared error. Integers are rounded for the scale as it is stored.
 * @param values row-major
 * @throws TRIMKV_SHAPE as {@link quantisedBytes}; TRIMKV_UNSUPPORTED for an element that is not finite or too large for f16 scales
 */
export function quantise(values: ArrayLike<number>, spec: QuantisedSpec): Uint8Array<ArrayBuffer> {
  const depth = spec.shape[1]!
  const run = { scale: 0, values: new Int8Array(quantisedDepth) }
  const fit = spec.dtype === 'q8' ? fitQ8 : fitQ4
  return packQuantised(spec, (row, k) => {
    fit(values, row * depth + k, run)
    return run
  })
}

interface Fit {
  scale: number
  readonly values: Int8Array
}

const largestF16 = 65504
/** The largest integer of a format times the largest scale. */
const largestElement = { q8: 127 * largestF16, q4: 8 * largestF16 } as const

/** The element of largest magnitude, with its sign. */
function extreme(values: ArrayLike<number>, from: number, dtype: QuantisedDType): number {
  const limit = largestElement[dtype]
  let most = 0
  for (let i = from; i < from + quantisedDepth; i++) {
    const value = values[i]!
    if (!(Math.abs(value) <= limit)) {
      fail('TRIMKV_UNSUPPORTED', `${value} cannot be quantised to ${dtype}`, {
        why: [`weights in ${dtype} are finite and at most ${limit}`],
        hint: Number.isFinite(value) ? 'keep this weight as it is' : 'the weights are damaged',
        details: { index: i, value, limit },
      })
    }
    if (Math.abs(value) > Math.abs(most)) most = value
  }
  return most
}

function fitQ8(values: ArrayLike<number>, from: number, run: Fit): void {
  run.scale = roundTo('f16', Math.abs(extreme(values, from, 'q8')) / 127)
  const inverse = run.scale === 0 ? 0 : 1 / run.scale
  for (let i = 0; i < quantisedDepth; i++) {
    run.values[i] = Math.max(-127, Math.min(127, Math.round(values[from + i]! * inverse)))
  }
}

/** What the largest element becomes; −8 uses the whole range, the others spread the error better over some blocks. */
const q4Extremes = [-8, -7.5, -7, 7, -8.5, -6.5] as const

function fitQ4(values: ArrayLike<number>, from: number, run: Fit): void {
  const most = extreme(values, from, 'q4')
  let best = { scale: 0, error: Number.POSITIVE_INFINITY }
  for (const to of q4Extremes) {
    const scale = roundTo('f16', most / to)
    const inverse = scale === 0 ? 0 : 1 / scale
    let error = 0
    for (let i = from; i < from + quantisedDepth; i++)
      error += (values[i]! - scale * nibble(values[i]! * inverse)) ** 2
    if (error < best.error) best = { scale, error }
  }
  run.scale = best.scale
  const inverse = best.scale === 0 ? 0 : 1 / best.scale
  for (let i = 0; i < quantisedDepth; i++) run.values[i] = nibble(values[from + i]! * inverse)
}

const nibble = (x: number): number => Math.max(-8, Math.min(7, Math.round(x)))

/** The elements of a quantised tensor, row-major: scale · integer, exact in f32. */
export function dequantise(bytes: Uint8Array, spec: QuantisedSpec): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [rows, depth] = spec.shape as [number, number]
  const values = new Float32Array(elementCount(spec.shape))
  for (const { row, depth: k, at } of blocksOf(spec)) {
    for (let lane = 0; lane < quantisedRows && row + lane < rows; lane++) {
      const scale = valueOfF16(view.getUint16(at + 2 * lane, true))
      const to = (row + lane) * depth + k
      for (let i = 0; i < quantisedDepth; i++) {
        const value =
          spec.dtype === 'q8'
            ? view.getInt8(at + scaleBytes + byteOf(lane, i))
            : ((bytes[at + scaleBytes + byteOf(lane, i % 16)]! >> (i < 16 ? 0 : 4)) & 15) - 8
        values[to + i] = scale * value
      }
    }
  }
  return values
}

/**
 * Rows as `linear` uses them with quantised weights: every 32 elements rounded to int8 with the scale max |x| / 127, and back.
 * Arithmetic that decides on an integer is in f32, so that every implementation finds the same. A block that is not
 * finite is NaN, one below 2⁻¹⁰⁰ zero.
 */
export function quantisedActivations(x: Float64Array): Float64Array {
  const out = new Float64Array(x.length)
  for (let from = 0; from < x.length; from += quantisedDepth) {
    const block = x.subarray(from, from + quantisedDepth)
    const most = block.reduce((a, b) => Math.max(a, Math.abs(b)), 0)
    if (!Number.isFinite(most)) out.fill(Number.NaN, from, from + quantisedDepth)
    else if (most >= 2 ** -100) {
      const inverse = Math.fround(127 / Math.fround(most))
      const scale = Math.fround(Math.fround(most) / 127)
      for (const [i, value] of block.entries()) {
        out[from + i] = scale * roundEven(Math.fround(Math.fround(value) * inverse))
      }
    }
  }
  return out
}

function roundEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor
}
