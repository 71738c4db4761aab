import { loadModel, type Model, type Trace, type TraceOptions, trace } from '@trimkv/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { goldenPath, goldenTensors } from './golden.ts'

const budget = 16
const steps = 24
let model: Model
let ids: number[]

beforeAll(async () => {
  model = await loadModel(goldenPath('qwen3', 'hf'), {
    gates: goldenPath('trimkv-qwen3-rg', 'gates'),
    threads: 2,
  })
  ids = await (await goldenTensors('trimkv-qwen3-rg', 'golden.safetensors')).ids('input_ids')
})
afterAll(() => model[Symbol.dispose]())

const run = (options: Partial<TraceOptions>): Promise<Trace> =>
  trace(model, ids, { budget, steps, tensors: true, ...options })

/** Algorithm 1 over recorded log β: append, and drop the least of age · log β when more than the budget are kept. */
function algorithmOne(logBeta: (index: number) => number, read: number): number[] {
  const kept: number[] = []
  for (let t = 0; t < read; t++) {
    kept.push(t)
    if (kept.length <= budget) continue
    const rating = kept.map((index) => Math.fround(logBeta(index) * (t - index)))
    kept.splice(rating.indexOf(Math.min(...rating)), 1)
  }
  return kept
}

describe('exact mode', () => {
  it('keeps what Algorithm 1 keeps, in every layer and head and after every token', async () => {
    const { kept, tensors } = await run({ policy: 'trimkv', exact: true })
    const { shape, data } = tensors.get('log_beta')!
    const [layers, heads, length] = shape as [number, number, number]
    for (let layer = 0; layer < layers; layer++) {
      for (let head = 0; head < heads; head++) {
        const row = data.subarray((layer * heads + head) * length, (layer * heads + head + 1) * length)
        for (let step = 0; step < steps; step++) {
          expect(kept[step]![layer]![head], `step ${step}`).toEqual(
            algorithmOne((at) => row[at]!, ids.length + step),
          )
        }
      }
    }
  })

  it('records the ratings of its first eviction', async () => {
    const { tensors } = await run({ policy: 'trimkv', exact: true })
    const { data: logBeta, shape } = tensors.get('log_beta')!
    const [, heads, length] = shape as [number, number, number]
    const { data, shape: rated } = tensors.get('scores.2')!
    expect(rated).toEqual([heads, budget + 1])
    for (const [at, score] of data.entries()) {
      const [head, index] = [Math.floor(at / (budget + 1)), at % (budget + 1)]
      expect(score).toBe(Math.fround(logBeta[(2 * heads + head) * length + index]! * (budget - index)))
    }
  })

  it('is not the buffered mode with a buffer of one', async () => {
    const [exact, buffered] = [await run({ exact: true }), await run({ buffer: 1, chunk: 1 })]
    expect(exact.kept).not.toEqual(buffered.kept)
  })

  it.each(['streaming', 'h2o', 'snapkv', 'trimkv', 'r-kv', 'keydiff', 'tova', 'knorm', 'random'])(
    'never stores more than one token beyond the budget with %s',
    async (policy) => {
      const { kept, report } = await run({ policy, exact: true, tensors: false })
      expect(report.meter.peakEntries).toBe(budget + 1)
      expect(report.meter.entries).toBe(budget)
      expect(report.meter.evictions).toBe(ids.length + steps - 1 - budget)
      for (const heads of kept.flat()) for (const positions of heads) expect(positions).toHaveLength(budget)
    },
  )

  it('shares one budget over all heads with dbtrimkv', async () => {
    const { kept, report } = await run({ policy: 'dbtrimkv', exact: true, tensors: false })
    expect(report.meter.peakEntries).toBe(budget + 1)
    expect(report.meter.entries).toBe(budget)
    for (const [step, layers] of kept.entries()) {
      const lengths = layers.flat().map((positions) => positions.length)
      const stored = Math.min(ids.length + step, budget)
      expect(lengths.reduce((a, b) => a + b)).toBe(stored * lengths.length)
    }
    expect(
      new Set(
        kept
          .at(-1)!
          .flat()
          .map((positions) => positions.length),
      ).size,
    ).toBeGreaterThan(1)
  })

  it('refuses a chunk and a buffer', async () => {
    await expect(run({ exact: true, chunk: 8 })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
    await expect(run({ exact: true, buffer: 8 })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
  })
})
