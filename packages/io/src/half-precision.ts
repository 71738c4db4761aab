// One word of f32 seen as bits and as value: conversion without arithmetic.
const word = new Uint32Array(1)
const value = new Float32Array(word.buffer)

/** Widens bf16, given as its bits; exact. */
export function widenBf16(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16
  return new Float32Array(words.buffer)
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

function widenOneF16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1
  const exponent = (half >>> 10) & 0x1f
  const fraction = half & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  // Infinities and NaN keep their fraction bits; the others get the bias of f32 (127 instead of 15).
  const wideExponent = exponent === 0x1f ? 0xff : exponent + 112
  word[0] = ((half & 0x8000) << 16) | (wideExponent << 23) | (fraction << 13)
  return value[0]!
}
