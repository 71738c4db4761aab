import type { DType } from './dtype.ts'

const word = new DataView(new ArrayBuffer(4))

/** Nearest bf16 value, ties to even. */
function roundToBf16(value: number): number {
  word.setFloat32(0, value)
  const bits = word.getUint32(0)
  if ((bits & 0x7fffffff) > 0x7f800000) return Number.NaN
  word.setUint32(0, ((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000) >>> 0)
  return word.getFloat32(0)
}

/** Nearest value of a small float format, ties to even. */
function roundToFraction(x: number, format: { fractionBits: number; leastExponent: number }): number {
  const magnitude = Math.abs(x)
  const exponent = Math.max(Math.floor(Math.log2(magnitude || 1)), format.leastExponent)
  const step = 2 ** (exponent - format.fractionBits)
  const scaled = magnitude / step
  const floor = Math.floor(scaled)
  const up = scaled - floor > 0.5 || (scaled - floor === 0.5 && floor % 2 === 1)
  return Math.sign(x) * (floor + (up ? 1 : 0)) * step
}

/** Nearest f16 value, ties to even; beyond 65504 it is infinite. */
function roundToF16(value: number): number {
  const x = Math.fround(value)
  const magnitude = Math.abs(x)
  if (!(magnitude < Number.POSITIVE_INFINITY)) return x
  if (magnitude >= 65520) return Math.sign(x) * Number.POSITIVE_INFINITY
  return roundToFraction(x, { fractionBits: 10, leastExponent: -14 })
}

/** Nearest f8 value, ties to even; ±448 beyond that, NaN for what is not finite. */
function roundToF8(value: number): number {
  const x = Math.fround(value)
  if (!Number.isFinite(x)) return Number.NaN
  return roundToFraction(Math.max(-448, Math.min(448, x)), { fractionBits: 3, leastExponent: -6 })
}

/** An f16 value from its bits. */
export function valueOfF16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** The bits of a value that f16 holds exactly. */
export function bitsOfF16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const magnitude = Math.abs(value)
  if (magnitude < 2 ** -14) return sign | (magnitude * 2 ** 24)
  word.setFloat32(0, magnitude)
  const bits = word.getUint32(0)
  return magnitude > 65504 ? sign | 0x7c00 : sign | ((bits - 0x38000000) >>> 13)
}

/** Rounds to the values a storage dtype can hold; f32 and i32 pass unchanged; quantised formats round many values at once. */
export function roundTo(dtype: DType, value: number): number {
  if (dtype === 'bf16') return roundToBf16(value)
  if (dtype === 'f16') return roundToF16(value)
  if (dtype === 'f8') return roundToF8(value)
  return value
}
