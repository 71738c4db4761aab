// One word of f32 seen as bits and as value: conversion without arithmetic.
const word = new Uint32Array(1)
const value = new Float32Array(word.buffer)

/** Widens bf16, given as its bits; exact. */
export function widenBf16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16
  return new Float32Array(words.buffer)
}

/** The bits of values that bf16 holds exactly, such as widened ones. */
export function narrowBf16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const bits = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) bits[i] = words[i]! >>> 16
  return bits
}

/** The bits of values that f16 holds exactly, such as widened ones; subnormals included. */
export function narrowF16(values: Float32Array): Uint16Array {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const bits = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) bits[i] = narrowOneF16(words[i]!, values[i]!)
  return bits
}

function narrowOneF16(wide: number, number: number): number {
  const sign = (wide >>> 16) & 0x8000
  const exponent = (wide >>> 23) & 0xff
  if (exponent === 0xff) return sign | 0x7c00 | ((wide >>> 13) & 0x3ff)
  // Below 2^-14 f16 counts in steps of 2^-24.
  if (exponent < 113) return sign | (Math.abs(number) * 2 ** 24)
  return sign | ((exponent - 112) << 10) | ((wide >>> 13) & 0x3ff)
}

/** Widens IEEE f16, given as its bits; exact, subnormals included. */
export function widenF16(bits: Uint16Array): Float32Array {
  tableF16 ??= Float32Array.from({ length: 1 << 16 }, (_, half) => widenOneF16(half))
  const values = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) values[i] = tableF16[bits[i]!]!
  return values
}

/** All 65 536 values, made on first use: looking one up is faster than computing it. */
let tableF16: Float32Array | undefined

/** One f16 value from its bits; exact. */
export function widenOneF16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  // Infinities and NaN keep their fraction bits; the others get the bias of f32 (127 instead of 15).
  const wideExponent = exponent === 0x1f ? 0xff : exponent + 112
  word[0] = ((half & 0x8000) << 16) | (wideExponent << 23) | (fraction << 13)
  return value[0]!
}

/** Widens f8 (E4M3), given as its bits; exact. */
export function widenF8(bits: Uint8Array): Float32Array {
  return Float32Array.from(bits, (eighth) => {
    const sign = eighth & 0x80 ? -1 : 1
    const exponent = (eighth >>> 3) & 0xf
    const fraction = eighth & 0x7
    if ((eighth & 0x7f) === 0x7f) return Number.NaN
    return exponent === 0 ? sign * fraction * 2 ** -9 : sign * (8 + fraction) * 2 ** (exponent - 10)
  })
}

/** The bits of values that f8 holds exactly, such as widened ones; subnormals included. */
export function narrowF8(values: Float32Array): Uint8Array {
  return Uint8Array.from(values, (number) => {
    if (Number.isNaN(number)) return 0x7f
    const sign = number < 0 || Object.is(number, -0) ? 0x80 : 0
    const magnitude = Math.abs(number)
    if (magnitude < 2 ** -6) return sign | (magnitude * 2 ** 9)
    const exponent = Math.floor(Math.log2(magnitude))
    return sign | ((exponent + 7) << 3) | (magnitude * 2 ** (3 - exponent) - 8)
  })
}
