import { elementCount } from '@trimkv/tensor'

/** Frequencies of the rotary embedding that tests use [D/2], coarse enough to tell neighbouring positions apart. */
export const testFrequencies = (headDim: number): Float32Array =>
  Float32Array.from({ length: Math.floor(headDim / 2) }, (_, i) => 100 ** (-i / (headDim / 2)))

/** One head's row [D] rotated to a position, pairs `(i, i + D/2)`. */
export function rotateRow(row: Float32Array, position: number): Float32Array {
  const out = Float32Array.from(row)
  const half = row.length / 2
  for (const [i, frequency] of testFrequencies(row.length).entries()) {
    const angle = Math.fround(position * frequency)
    const [a, b] = [row[i]!, row[half + i]!]
    out[i] = a * Math.cos(angle) - b * Math.sin(angle)
    out[half + i] = b * Math.cos(angle) + a * Math.sin(angle)
  }
  return out
}

/** Rows of several heads [heads, D], each rotated to a position. */
export function rotateHeads(rows: Float32Array, headDim: number, position: number): Float32Array {
  const out = new Float32Array(rows.length)
  for (let at = 0; at < rows.length; at += headDim)
    out.set(rotateRow(rows.subarray(at, at + headDim), position), at)
  return out
}

/** Numbers for a tensor that a policy would read from a file. */
export const testConstants = (shape: readonly number[]): Float32Array =>
  Float32Array.from({ length: elementCount(shape) }, (_, i) => Math.sin(7 * i + 1))
