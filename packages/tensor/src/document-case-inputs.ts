import type { CaseInput } from './op-case.ts'

/** Random starts of documents for op cases: [B, T] i32, a new document with the given chance at each token. */
export function startInput(batch: number, length: number, chance: number): CaseInput {
  let first = 0
  return {
    dtype: 'i32',
    shape: [batch, length],
    fill(index, random) {
      const t = index % length
      if (t === 0 || random.next() < chance) first = t
      return first
    },
  }
}

/** Log retentions from −1e-8 to `−10^top`, evenly spread in their order of magnitude: [B, T, H] f32. */
export function logBetaInput(shape: readonly number[], top: number): CaseInput {
  return { dtype: 'f32', shape, fill: (_, random) => -(10 ** (-8 + random.next() * (8 + top))) }
}
