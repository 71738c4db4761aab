import { loadModel, type Model } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { headWithMost, type Reading, readText } from './read-text.ts'
import { recallText } from './recall-text.ts'

const text = recallText({ seed: 1, facts: 8, questions: 8, words: 240 })
const rightCount = (reading: Reading): number =>
  reading.answers.filter(({ said, right }) => said === right).length

describe('headWithMost', () => {
  it('finds the first head that holds most of the positions outside its window', () => {
    const kept = [
      [
        [7, 8, 9],
        [1, 8, 9],
      ],
      [
        [2, 4, 9],
        [2, 4, 5],
      ],
    ]
    expect(headWithMost(kept, new Set([2, 4, 7, 8]), 10)).toEqual({ layer: 1, head: 0 })
    expect(headWithMost(kept, new Set([7, 8]), 10)).toEqual({ layer: 0, head: 0 })
  })
})

describe('readText', () => {
  let model: Model
  beforeAll(async () => {
    model = await loadModel(referenceModelDir, { gates: referenceGatesDir })
  })
  afterAll(() => model[Symbol.dispose]())

  it('answers with the full cache and keeps every word', async () => {
    const reading = await readText(model, { text, policy: 'full', budget: 32 })
    expect(rightCount(reading)).toBe(8)
    expect(reading.kept.every(Boolean)).toBe(true)
    expect(reading.meter.evictions).toBe(0)
  })

  it('shows TRIM-KV answering what no heuristic does at the same budget', async () => {
    const right = async (policy: string): Promise<number> =>
      rightCount(await readText(model, { text, policy, budget: 32 }))
    expect(await right('trimkv')).toBeGreaterThanOrEqual(7)
    for (const policy of ['streaming', 'h2o', 'snapkv', 'r-kv', 'keydiff']) {
      expect(await right(policy), policy).toBeLessThan(await right('trimkv'))
    }
  })

  it('holds no more than the budget and one under a policy', async () => {
    const reading = await readText(model, { text, policy: 'streaming', budget: 32 })
    expect(reading.meter.peakEntries).toBe(33)
    expect(reading.kept.filter(Boolean)).toHaveLength(32 - 1) // the begin token is kept and is not a word
    expect(reading.kept.slice(0, 3)).toEqual([true, true, true])
    expect(rightCount(reading)).toBeLessThan(8)
  })

  it('gives the same reading twice', async () => {
    const once = await readText(model, { text, policy: 'trimkv', budget: 32 })
    const again = await readText(model, { text, policy: 'trimkv', budget: 32 })
    expect({ ...again, tokensPerSecond: 0 }).toEqual({ ...once, tokensPerSecond: 0 })
  })
})
