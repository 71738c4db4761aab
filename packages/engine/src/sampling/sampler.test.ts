import { describe, expect, it } from 'vitest'
import { RankedIds } from './ranked-ids.ts'
import { createSampler } from './sampler.ts'
import type { SamplingOptions } from './sampling-options.ts'
import { tokenLogProbs } from './token-log-probs.ts'
import { uniformDraw } from './uniform-draw.ts'

const noise = (n: number, seed = 1) =>
  Float32Array.from({ length: n }, (_, i) => 8 * uniformDraw(seed, i) - 4)
const draw = (options: SamplingOptions, logits: Float32Array, n = 400) => {
  const sampler = createSampler(options)
  return Array.from({ length: n }, () => sampler.next(logits))
}

describe('RankedIds', () => {
  it('lists all ids by descending logit, ties by ascending id', () => {
    const logits = noise(300).map((x) => Math.round(x * 4) / 4)
    const ranked = new RankedIds(logits)
    const order = Array.from({ length: 301 }, () => ranked.take())
    const wanted = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b)
    expect(order).toEqual([...wanted, undefined])
  })
})

describe('createSampler', () => {
  it('is greedy without a temperature and breaks ties to the smallest id', () => {
    expect(createSampler({}).next(Float32Array.of(1, 3, NaN, 3))).toBe(1)
  })

  it('repeats with the same seed and differs with another', () => {
    const logits = noise(50)
    expect(draw({ temperature: 1, seed: 5 }, logits)).toEqual(draw({ temperature: 1, seed: 5 }, logits))
    expect(draw({ temperature: 1, seed: 5 }, logits)).not.toEqual(draw({ temperature: 1, seed: 6 }, logits))
  })

  it('draws tokens in proportion to their probability', () => {
    const logits = Float32Array.of(Math.log(0.5), Math.log(0.3), Math.log(0.2))
    const counts = [0, 0, 0]
    for (const id of draw({ temperature: 1 }, logits, 10_000)) counts[id]!++
    for (const [id, p] of [0.5, 0.3, 0.2].entries())
      expect(Math.abs(counts[id]! / 10_000 - p)).toBeLessThan(0.02)
  })

  it('sharpens with a low temperature', () => {
    const logits = Float32Array.of(1, 0)
    const hits = (temperature: number) =>
      draw({ temperature }, logits, 4000).filter((id) => id === 0).length / 4000
    expect(hits(0.25)).toBeCloseTo(1 / (1 + Math.exp(-4)), 1)
    expect(hits(4)).toBeCloseTo(1 / (1 + Math.exp(-0.25)), 1)
  })

  it('keeps exactly the k most likely tokens', () => {
    const logits = noise(40)
    const best = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!)
    expect(new Set(draw({ temperature: 3, topK: 4 }, logits))).toEqual(new Set(best.slice(0, 4)))
    expect(new Set(draw({ temperature: 3, topK: 1 }, logits))).toEqual(new Set(best.slice(0, 1)))
  })

  it('keeps the fewest tokens that reach top-p, counted over what top-k left', () => {
    const logits = Float32Array.from([0.4, 0.3, 0.2, 0.1], Math.log)
    const ids = (options: SamplingOptions) => new Set(draw({ temperature: 1, ...options }, logits))
    expect(ids({ topP: 0.5 })).toEqual(new Set([0, 1]))
    expect(ids({ topP: 0.39 })).toEqual(new Set([0]))
    expect(ids({ topP: 0.71 })).toEqual(new Set([0, 1, 2]))
    // 0.4 / 0.7 = 0.57 of what top-k left
    expect(ids({ topP: 0.55, topK: 2 })).toEqual(new Set([0]))
  })

  it('keeps tokens within min-p of the most likely', () => {
    const logits = Float32Array.from([0.4, 0.3, 0.2, 0.1], Math.log)
    expect(new Set(draw({ temperature: 1, minP: 0.45 }, logits))).toEqual(new Set([0, 1, 2]))
    expect(new Set(draw({ temperature: 1, minP: 1 }, logits))).toEqual(new Set([0]))
  })

  it('pushes down tokens of the prompt and of the answer so far', () => {
    const logits = Float32Array.of(2, 1.9, -1)
    expect(createSampler({ repetitionPenalty: 1.5 }, [0]).next(logits)).toBe(1)
    const sampler = createSampler({ repetitionPenalty: 1.5 })
    expect([sampler.next(logits), sampler.next(logits)]).toEqual([0, 1])
    expect(createSampler({ repetitionPenalty: 2 }, [0]).next(Float32Array.of(-1, -1.5))).toBe(1)
  })

  it('never draws a token of probability zero or NaN', () => {
    const logits = Float32Array.of(-Infinity, 0, NaN, 0)
    expect(new Set(draw({ temperature: 5 }, logits))).toEqual(new Set([1, 3]))
    expect(new Set(draw({ temperature: 5, topP: 0.99 }, logits))).toEqual(new Set([1, 3]))
  })

  it.each<[string, SamplingOptions]>([
    ['temperature', { temperature: -1 }],
    ['topK', { temperature: 1, topK: 0 }],
    ['topP', { temperature: 1, topP: 1.1 }],
    ['minP', { temperature: 1, minP: -0.1 }],
    ['repetitionPenalty', { repetitionPenalty: 0 }],
    ['seed', { seed: 1.5 }],
    ['topK has no effect', { topK: 5 }],
  ])('refuses a bad %s', (text, options) => {
    expect(() => createSampler(options)).toThrow(
      expect.objectContaining({ code: 'TRIMKV_OPTION', what: expect.stringContaining(text) }),
    )
  })

  it('draws among infinite logits alone', () => {
    const logits = Float32Array.of(3, Infinity, -Infinity, NaN, Infinity)
    for (const options of [{ temperature: 1 }, { temperature: 1, topP: 0.9 }, { temperature: 0.1, topK: 4 }])
      expect(new Set(draw(options, logits, 60))).toEqual(new Set([1, 4]))
  })

  it('fails instead of choosing among logits that are all NaN', () => {
    const logits = new Float32Array(4).fill(NaN)
    expect(() => createSampler({}).next(logits)).toThrow(
      expect.objectContaining({ code: 'TRIMKV_WEIGHTS_MISMATCH' }),
    )
    expect(() => createSampler({ temperature: 1 }).next(logits)).toThrow(
      expect.objectContaining({ code: 'TRIMKV_WEIGHTS_MISMATCH' }),
    )
  })
})

describe('tokenLogProbs', () => {
  it('gives the log-softmax of the chosen token and the most likely ones in order', () => {
    const logits = Float32Array.from([0.1, 0.4, 0.1, 0.4], (p) => Math.log(p) + 100)
    const result = tokenLogProbs(logits, 2, 3)
    expect(result.logProb).toBeCloseTo(Math.log(0.1), 5)
    expect(result.top.map((t) => t.id)).toEqual([1, 3, 0])
    expect(result.top[0]!.logProb).toBeCloseTo(Math.log(0.4), 5)
    expect(tokenLogProbs(logits, 0, 0).top).toEqual([])
  })

  it('gives a logit that is NaN no probability, as the sampler does', () => {
    const { top, logProb } = tokenLogProbs(Float32Array.of(NaN, 1, 3, 2), 0, 4)
    expect(logProb).toBe(-Infinity)
    expect(top.map(({ id }) => id)).toEqual([2, 3, 1, 0])
    expect(top[0]!.logProb).toBe(tokenLogProbs(Float32Array.of(1, 3, 2), 1, 0).logProb)
    expect(tokenLogProbs(new Float32Array(2).fill(NaN), 1, 1)).toEqual({
      id: 1,
      logProb: -Infinity,
      top: [{ id: 0, logProb: -Infinity }],
    })
  })

  it('shares the probability among infinite logits', () => {
    const logits = Float32Array.of(3, Infinity, -Infinity, NaN, Infinity)
    const half = -Math.log(2)
    expect(tokenLogProbs(logits, 4, 3)).toEqual({
      id: 4,
      logProb: half,
      top: [
        { id: 1, logProb: half },
        { id: 4, logProb: half },
        { id: 0, logProb: -Infinity },
      ],
    })
    expect(tokenLogProbs(Float32Array.of(Infinity, 1), 0, 0).logProb + 0).toBe(0)
  })
})
