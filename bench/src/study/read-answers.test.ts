import { loadModel, type Model } from '@trimkv/engine'
import { referenceGatesDir, referenceModelDir } from '@trimkv/reference-model'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cell, cellBudget, policyText, type StudyPolicy, studyPolicies } from './cells.ts'
import { readAnswers } from './read-answers.ts'
import { runCell } from './run-cell.ts'
import { type StudySetting, studyTasks, studyTexts } from './study-texts.ts'

const signal = new AbortController().signal
const cellOf = (setting: StudySetting, policy: StudyPolicy, change: Partial<Cell> = {}): Cell => ({
  setting,
  length: 64,
  task: 'recall',
  policy,
  share: 1 / 4,
  questions: 3,
  ...change,
})

describe('readAnswers', () => {
  let model: Model
  beforeAll(async () => {
    model = await loadModel(referenceModelDir, { gates: referenceGatesDir })
  })
  afterAll(() => model[Symbol.dispose]())

  const settings: readonly StudySetting[] = ['stream', 'query-aware']
  const cells = settings.flatMap((setting) =>
    studyPolicies
      .filter((policy) => setting === 'stream' || policy !== 'trimkv-buffered')
      .map((policy) => [setting, policy] as const),
  )

  it.each(cells)('%s: %s works at the smallest budget of the study', async (setting, policy) => {
    const { shares, refused } = await runCell(model, cellOf(setting, policy), { cache: new Map(), signal })
    expect(refused).toBeUndefined()
    expect(shares.flat().every((share) => share >= 0 && share <= 1)).toBe(true)
    expect(shares.flat().length).toBeGreaterThanOrEqual(3)
  })

  it.each(settings)('%s: a budget that holds everything gives what the full cache gives', async (setting) => {
    for (const task of studyTasks) {
      const texts = studyTexts({ task, setting, length: 96, questions: 12 }, await model.tokenizer())
      const run = { budget: 96, setting, signal }
      const full = await readAnswers(model, texts, { ...run, policy: 'full' })
      const when = setting === 'stream' ? 'streaming' : 'streaming:when=prefill'
      expect(await readAnswers(model, texts, { ...run, policy: when })).toEqual(full)
      expect(Math.max(...full.flat())).toBeGreaterThan(0)
    }
  })

  it.each(settings)('%s: texts do not change each other', async (setting) => {
    const texts = studyTexts({ task: 'code', setting, length: 64, texts: 3 }, await model.tokenizer())
    const run = { policy: policyText(cellOf(setting, 'trimkv'), 16), budget: 16, setting, signal }
    const alone = [
      ...(await readAnswers(model, [texts[0]!], run)),
      ...(await readAnswers(model, [texts[2]!], run)),
    ]
    const together = await readAnswers(model, texts, run)
    expect([together[0], together[2]]).toEqual(alone)
  })

  it('says why a policy refuses, and measures nothing', async () => {
    const cell = cellOf('stream', 'streaming', { share: 1 / 16 })
    expect(cellBudget(cell)).toEqual({ budget: 4 })
    const result = await runCell(model, cell, { cache: new Map(), signal })
    expect(result.refused).toContain('budget of 4 is too small for streaming')
    expect(result.shares).toEqual([])
  })

  it('stops when told to', async () => {
    const stop = AbortSignal.abort(new Error('stopped'))
    await expect(
      runCell(model, cellOf('stream', 'full'), { cache: new Map(), signal: stop }),
    ).rejects.toThrow('stopped')
  })
})
