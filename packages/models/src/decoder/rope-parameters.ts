import type { RopeConfig } from '@trimkv/io'

/** What the rotary table of a sequence is made from. */
export interface RopeParameters {
  /** [rotaryDim / 2], radians per position */
  readonly invFreq: Float32Array
  /** Multiplies cos and sin. */
  readonly scale: number
}

const { fround } = Math

/** `theta^(2i/rotaryDim) · factorᵢ` inverted, every step rounded to f32 as the models were trained with. */
function inverseFrequencies(rope: RopeConfig, factors?: readonly number[]): Float32Array {
  const invFreq = new Float32Array(rope.rotaryDim / 2)
  for (let i = 0; i < invFreq.length; i++) {
    const power = fround(rope.theta ** fround((2 * i) / rope.rotaryDim))
    invFreq[i] = 1 / fround(fround(factors?.[i] ?? 1) * power)
  }
  return invFreq
}

/** Long wavelengths are divided by `factor`, short ones kept, those between interpolated. */
function llama3Frequencies(rope: Extract<RopeConfig, { kind: 'llama3' }>): Float32Array {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = rope
  return inverseFrequencies(rope).map((freq) => {
    const wavelength = fround(fround(2 * Math.PI) / freq)
    if (wavelength > originalMaxPositions / lowFreqFactor) return freq / factor
    if (wavelength < originalMaxPositions / highFreqFactor) return freq
    const turns = fround(originalMaxPositions / wavelength)
    const smooth = fround(fround(turns - lowFreqFactor) / fround(highFreqFactor - lowFreqFactor))
    const slow = fround(fround(fround(1 - smooth) * freq) / factor)
    return slow + fround(smooth * freq)
  })
}

/**
 * Frequencies and scale for one sequence. Only `longrope` depends on the length: the factors are chosen once per
 * sequence, because keys rotated with other factors cannot be compared with the cached ones.
 * @param totalLength tokens of the sequence when it ends: the prompt and all tokens to come
 * @see HF transformers modeling_rope_utils.py (default, llama3, longrope); LongRoPE (arXiv:2402.13753)
 */
export function ropeParameters(rope: RopeConfig, totalLength: number): RopeParameters {
  switch (rope.kind) {
    case 'plain':
      return { invFreq: inverseFrequencies(rope), scale: 1 }
    case 'llama3':
      return { invFreq: llama3Frequencies(rope), scale: 1 }
    case 'longrope': {
      const factors = totalLength > rope.originalMaxPositions ? rope.longFactor : rope.shortFactor
      return { invFreq: inverseFrequencies(rope, factors), scale: rope.attentionFactor }
    }
  }
}
