import {
  bestOf,
  type DoneEvent,
  type GenerateOptions,
  generate,
  generateSamples,
  loadModel,
  type Model,
  readPrefix,
} from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

let model: Model
beforeAll(async () => {
  model = await loadModel(referenceModelDir, { gates: referenceGatesDir, threads: 2 })
})
afterAll(() => model[Symbol.dispose]())

let tensors = 0
beforeEach(() => {
  tensors = model.device.liveTensors()
})
// Whatever a test did, nothing may be left.
afterEach(() => expect(model.device.liveTensors()).toBe(tensors))

const long =
  'put key library . ida smiles . put stone kitchen . finn visits mill . put lamp hall . nia sings . '.repeat(
    3,
  )
const asked = `${long}find key`

const answer = (prompt: string, options: GenerateOptions): Promise<DoneEvent> =>
  generate(model, prompt, { maxNewTokens: 3, logProbs: 0, ...options }).result()

describe('samples', () => {
  const sampling = { temperature: 1.5, seed: 11, maxNewTokens: 8, ignoreEnd: true }

  it.each([
    { policy: 'full' },
    { policy: 'trimkv', budget: 24, buffer: 8 },
    { policy: 'trimkv', budget: 24, exact: true, kvDtype: 'bf16' as const },
    { policy: 'snapkv', budget: 80, buffer: 5 },
  ])('are what each seed gives alone, and read the prompt once: %o', async (given) => {
    const { samples, best } = await bestOf(model, asked, { ...given, ...sampling, samples: 3 })
    const alone: DoneEvent[] = []
    for (const seed of [11, 12, 13]) alone.push(await answer(asked, { ...given, ...sampling, seed }))
    expect(samples.map(({ seed }) => seed)).toEqual([11, 12, 13])
    expect(samples.map(({ ids }) => ids)).toEqual(alone.map(({ ids }) => ids))
    expect(samples.map(({ meanLogProb }) => meanLogProb)).toEqual(alone.map(({ meanLogProb }) => meanLogProb))
    expect(new Set(samples.map(({ text: said }) => said)).size).toBe(3)
    expect(best.meanLogProb).toBe(Math.max(...samples.map(({ meanLogProb }) => meanLogProb)))
    const { promptTokens } = alone[0]!.usage
    expect(samples.map(({ usage }) => usage.promptTokens)).toEqual([promptTokens, 0, 0])
    expect(samples.map(({ usage }) => usage.reusedTokens)).toEqual([0, promptTokens, promptTokens])
  })

  it('go on from a prefix', async () => {
    using prefix = await readPrefix(model, long, { budget: 24 })
    const { samples } = await bestOf(model, asked, { prefix, ...sampling, samples: 2 })
    const alone = await answer(asked, { prefix, ...sampling, seed: 12 })
    expect([samples[1]?.ids, samples[1]?.meanLogProb]).toEqual([alone.ids, alone.meanLogProb])
  })

  it('score by the mean log-probability of their tokens', async () => {
    const sums = [0, 0]
    const counts = [0, 0]
    const means: (number | undefined)[] = []
    for await (const event of generateSamples(model, asked, { ...sampling, samples: 2 })) {
      if (event.type === 'token') {
        sums[event.index]! += event.logProb!
        counts[event.index]! += 1
      }
      if (event.type === 'done') means[event.index] = event.meanLogProb
    }
    expect(means).toEqual(sums.map((sum, index) => sum / counts[index]!))
  })

  it('are refused where all would be the same, and freed when left', async () => {
    await expect(bestOf(model, asked, { samples: 2 })).rejects.toThrow(/all be the same at temperature 0/)
    await expect(bestOf(model, asked, { samples: 0, temperature: 1 })).rejects.toThrow(/integer ≥ 1/)
    for await (const event of generateSamples(model, asked, { ...sampling, samples: 3 }))
      if (event.type === 'token' && event.index === 2) break
  })
})
