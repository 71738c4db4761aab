import { elementCount } from '@trimkv/tensor'

/** FNV-1a with a salt: four of them seed the generator. */
function hash(text: string, salt: number): number {
  let h = 0x811c9dc5 ^ salt
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  return (h ^ (h >>> 13)) >>> 0
}

/** Uniform numbers in (0, 1) from a text, the same everywhere (sfc32). */
function uniforms(seed: string): () => number {
  let [a, b, c, counter] = [hash(seed, 1), hash(seed, 2), hash(seed, 3), 1]
  const next = (): number => {
    const sum = (a + b + counter++) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return (sum >>> 0) / 2 ** 32 + 2 ** -33
  }
  for (let i = 0; i < 16; i++) next()
  return next
}

/** Normal numbers of a standard deviation, the same for a seed on every machine (Box–Muller in f64, rounded to f32). */
export function gaussian(seed: string, shape: readonly number[], std: number): Float32Array {
  const uniform = uniforms(seed)
  const values = new Float32Array(elementCount(shape))
  for (let i = 0; i < values.length; i += 2) {
    const radius = std * Math.sqrt(-2 * Math.log(uniform()))
    const angle = 2 * Math.PI * uniform()
    values[i] = radius * Math.cos(angle)
    if (i + 1 < values.length) values[i + 1] = radius * Math.sin(angle)
  }
  return values
}
