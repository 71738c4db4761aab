import { loadModel, type Model } from '@trimkv/engine'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answerAccuracy, readTestTexts, type TestText } from './answer-accuracy.ts'
import { goldenPath } from './golden.ts'

/** Accuracy that an independent implementation of the policies recorded: budgets 16, 32, 64; full last. */
const recorded = {
  recall: {
    streaming: [0.349, 0.522, 0.669],
    h2o: [0.354, 0.455, 0.573],
    trimkv: [0.644, 0.664, 0.813],
    full: 0.898,
  },
  chain: { streaming: [0.65, 0.717, 0.816], h2o: [0.677, 0.755, 0.843], trimkv: [0.946, 0.996, 1], full: 1 },
  code: {
    streaming: [0.517, 0.774, 0.968],
    h2o: [0.148, 0.229, 0.376],
    trimkv: [0.8, 0.979, 0.993],
    full: 0.993,
  },
} as const
const answerCounts = { recall: 822, chain: 2088, code: 1644 } as const
const specs = { streaming: 'streaming:sinks=4', h2o: 'h2o:recent=4', trimkv: 'trimkv', full: 'full' } as const
const budgets = [16, 32, 64] as const

describe('a small model trained elsewhere answers its test file as recorded', () => {
  let model: Model
  let texts: TestText[]
  beforeAll(async () => {
    model = await loadModel(goldenPath('recall-small'), { gates: goldenPath('recall-small', 'gates') })
    texts = await readTestTexts()
  })
  afterAll(() => model[Symbol.dispose]())

  for (const task of ['recall', 'chain', 'code'] as const) {
    const ofTask = (): TestText[] => texts.filter((text) => text.task === task)

    it(`${task}: has the recorded number of answers`, () => {
      expect(ofTask().reduce((sum, { answers }) => sum + answers.length, 0)).toBe(answerCounts[task])
    })

    it(`${task} with the full cache`, async () => {
      const { share } = await answerAccuracy(model, ofTask(), { policy: specs.full, budget: 512 })
      expect(Math.abs(share - recorded[task].full)).toBeLessThanOrEqual(0.01)
    })

    for (const policy of ['streaming', 'h2o', 'trimkv'] as const) {
      it.each(budgets.map((budget, i) => [budget, recorded[task][policy][i]!] as const))(
        `${task} with ${policy} at budget %i: %f`,
        async (budget, expected) => {
          const { share } = await answerAccuracy(model, ofTask(), { policy: specs[policy], budget })
          expect(Math.abs(share - expected), `got ${share}`).toBeLessThanOrEqual(0.01)
        },
      )
    }
  }
})
