import type { RopeConfig } from '@trimkv/io'
import { describe, expect, it } from 'vitest'
import { ropeParameters } from './rope-parameters.ts'

const plain: RopeConfig = { kind: 'plain', theta: 10_000, rotaryDim: 8 }

const llama3: Extract<RopeConfig, { kind: 'llama3' }> = {
  kind: 'llama3',
  theta: 500_000,
  rotaryDim: 128,
  factor: 8,
  lowFreqFactor: 1,
  highFreqFactor: 4,
  originalMaxPositions: 8192,
}

const longrope: RopeConfig = {
  kind: 'longrope',
  theta: 10_000,
  rotaryDim: 8,
  shortFactor: [1, 1, 1, 1],
  longFactor: [1, 2, 4, 8],
  originalMaxPositions: 100,
  attentionFactor: 1.25,
}

const f32 = (...values: number[]): Float32Array => Float32Array.from(values)

describe('rotary parameters', () => {
  it('of plain RoPE fall geometrically from 1 and do not depend on the length', () => {
    expect(ropeParameters(plain, 10)).toEqual({ invFreq: f32(1, 0.1, 0.01, 0.001), scale: 1 })
    expect(ropeParameters(plain, 1_000_000)).toEqual(ropeParameters(plain, 10))
  })

  it('of llama3 keep short wavelengths, divide long ones, and fall monotonically between', () => {
    const { invFreq, scale } = ropeParameters(llama3, 1)
    const base = ropeParameters({ kind: 'plain', theta: 500_000, rotaryDim: 128 }, 1).invFreq
    const ratio = Array.from(base, (freq, i) => freq / invFreq[i]!)
    const wavelength = Array.from(base, (freq) => (2 * Math.PI) / freq)
    expect(scale).toBe(1)
    for (const [i, length] of wavelength.entries()) {
      if (length < 8192 / 4) expect(ratio[i]).toBe(1)
      else if (length > 8192) expect(ratio[i]).toBeCloseTo(8, 6)
      else {
        // Turns over the original length go from 4 to 1; the share kept as it is goes from 1 to 0 with them.
        const kept = (8192 / length - 1) / 3
        expect(1 / ratio[i]!).toBeCloseTo((1 - kept) / 8 + kept, 5)
      }
    }
    expect(ratio.filter((r) => r > 1 && r < 7.99).length).toBeGreaterThan(3)
  })

  it('of longrope take the long factors for sequences longer than the original length only', () => {
    expect(ropeParameters(longrope, 100)).toEqual({ invFreq: f32(1, 0.1, 0.01, 0.001), scale: 1.25 })
    const long = ropeParameters(longrope, 101)
    expect(long.scale).toBe(1.25)
    for (const [i, factor] of [1, 2, 4, 8].entries())
      expect(long.invFreq[i]! * factor * 10 ** i).toBeCloseTo(1, 6)
  })
})
