import { readFile } from 'node:fs/promises'
import { DecoderSession, loadModel, type Model, resolveCacheOptions } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir, referenceTestFile } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

interface TestText {
  readonly task: 'recall' | 'chain' | 'code'
  readonly ids: readonly number[]
  /** Indices into `ids` that can only be known from earlier text. */
  readonly answers: readonly number[]
}

/** Accuracy recorded when the model was made (README of the reference model): budgets 16, 32, 64; full last. */
const recorded = {
  recall: { streaming: [0.349, 0.522, 0.669], h2o: [0.354, 0.455, 0.573], trimkv: [0.644, 0.664, 0.813], full: 0.898 },
  chain: { streaming: [0.65, 0.717, 0.816], h2o: [0.677, 0.755, 0.843], trimkv: [0.946, 0.996, 1], full: 1 },
  code: { streaming: [0.517, 0.774, 0.968], h2o: [0.148, 0.229, 0.376], trimkv: [0.8, 0.979, 0.993], full: 0.993 },
} as const
const answerCounts = { recall: 822, chain: 2088, code: 1644 } as const
const specs = { streaming: 'streaming:sinks=4', h2o: 'h2o:recent=4', trimkv: 'trimkv', full: 'full' } as const
const budgets = [16, 32, 64] as const

const argmax = (row: Float32Array): number => row.reduce((best, value, i) => (value > row[best]! ? i : best), 0)

/** Reads all texts side by side, one token at a time with exact eviction; texts that have ended read a filler. */
async function accuracy(model: Model, texts: readonly TestText[], run: { policy: string; budget: number }): Promise<number> {
  const batch = texts.length
  const length = Math.max(...texts.map(({ ids }) => ids.length))
  const context = { spec: model.spec, hasGates: true, contextTokens: length, batch }
  const settings = resolveCacheOptions({ ...run, exact: true }, context)
  using session = new DecoderSession(model, { ...settings, batch, maxTokens: length })
  for (let seat = 0; seat < batch; seat++) session.begin(seat, length)
  let right = 0
  for (let at = 0; at + 1 < length; at++) {
    const asked = texts.map(({ answers }) => answers.includes(at + 1))
    const kind = asked.includes(true) ? 'last' : 'none'
    const { values } = await session.forward({ ids: texts.map(({ ids }) => [ids[at] ?? 0]), output: { kind } })
    for (const [seat, { ids }] of texts.entries()) {
      const row = values.subarray(seat * model.spec.vocabSize, (seat + 1) * model.spec.vocabSize)
      if (asked[seat] && argmax(row) === ids[at + 1]) right++
    }
  }
  return right / texts.reduce((sum, { answers }) => sum + answers.length, 0)
}

describe('the bundled model answers its test file as recorded', () => {
  let model: Model
  let texts: TestText[]
  beforeAll(async () => {
    model = await loadModel(referenceModelDir, { gates: referenceGatesDir })
    const lines = (await readFile(referenceTestFile, 'utf8')).trim().split('\n')
    texts = lines.map((line) => JSON.parse(line) as TestText)
  })
  afterAll(() => model[Symbol.dispose]())

  for (const task of ['recall', 'chain', 'code'] as const) {
    const ofTask = (): TestText[] => texts.filter((text) => text.task === task)

    it(`${task}: has the recorded number of answers`, () => {
      expect(ofTask().reduce((sum, { answers }) => sum + answers.length, 0)).toBe(answerCounts[task])
    })

    it(`${task} with the full cache`, async () => {
      const share = await accuracy(model, ofTask(), { policy: specs.full, budget: 512 })
      expect(Math.abs(share - recorded[task].full)).toBeLessThanOrEqual(0.01)
    })

    for (const policy of ['streaming', 'h2o', 'trimkv'] as const) {
      it.each(budgets.map((budget, i) => [budget, recorded[task][policy][i]!] as const))(
        `${task} with ${policy} at budget %i: %f`,
        async (budget, expected) => {
          const share = await accuracy(model, ofTask(), { policy: specs[policy], budget })
          expect(Math.abs(share - expected), `got ${share}`).toBeLessThanOrEqual(0.01)
        },
      )
    }
  }
})
