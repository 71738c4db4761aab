import { loadTokenizer } from '@trimkv/io'
import { referenceModelDir } from '@trimkv/reference-model'
import { describe, expect, it } from 'vitest'
import { type StudySetting, studyTasks, studyTexts } from './study-texts.ts'

const tokenizer = await loadTokenizer(referenceModelDir)
const settings: readonly StudySetting[] = ['stream', 'query-aware']
const kinds = settings.flatMap((setting) => studyTasks.map((task) => [setting, task] as const))
const words = (ids: readonly number[]): string[] => tokenizer.decode(ids).trim().split(' ')

describe.each(kinds)('%s texts of %s', (setting, task) => {
  const request = { task, setting, length: 256, questions: 30 } as const
  const texts = studyTexts(request, tokenizer)

  it('are the same each time', () => {
    expect(studyTexts(request, tokenizer)).toEqual(texts)
  })

  it('have at least the questions wanted, and no text more than that takes', () => {
    const counts = texts.map(({ questions }) => questions.length)
    const all = counts.reduce((a, b) => a + b, 0)
    expect(all).toBeGreaterThanOrEqual(30)
    expect(all - counts.at(-1)!).toBeLessThan(30)
  })

  it('fill the length and are no longer', () => {
    for (const { ids } of texts) {
      expect(ids.length).toBeLessThanOrEqual(256)
      expect(ids.length).toBeGreaterThan(252)
    }
  })

  it('ask for what was said before, as far back as they say', () => {
    for (const { ids, questions, distances } of texts) {
      for (const [question, places] of questions.entries()) {
        const distance = distances[question]!
        expect(distance).toBeGreaterThan(0)
        // Results of a chain are computed; everything else is said again.
        if (task === 'chain' && question % 2 === 1) continue
        for (const place of places) expect(ids[place - distance]).toBe(ids[place])
      }
    }
  })

  it('grow with the length', () => {
    const long = studyTexts({ ...request, length: 1024 }, tokenizer)
    for (const { ids } of long) expect(ids.length).toBeGreaterThan(1020)
  })
})

describe('query-aware texts', () => {
  it.each([
    ['recall', /^find (\w+) \.$/, /^find (\w+) \w+ \.$/],
    ['chain', /^take (\w+) \.$/, /^take (\w+) \d+ .* \.$/],
    ['code', /^\S+ repeat :$/, /^[\d ]+ \.$/],
  ] as const)('%s: say what will be asked for, are cut, then ask', (task, before, after) => {
    const texts = studyTexts({ task, setting: 'query-aware', length: 256, questions: 10 }, tokenizer)
    for (const { ids, cut } of texts) {
      const announced = before.exec(words(ids.slice(cut! - 3, cut)).join(' '))
      const asked = after.exec(words(ids.slice(cut)).join(' '))
      expect(announced).not.toBeNull()
      expect(asked?.[1]).toBe(announced?.[1])
    }
  })

  it.each(studyTasks)(
    '%s: are all cut at one place, and ask for nothing that comes from before it',
    (task) => {
      const texts = studyTexts({ task, setting: 'query-aware', length: 256, questions: 40 }, tokenizer)
      expect(new Set(texts.map(({ cut }) => cut)).size).toBe(1)
      for (const { cut, questions } of texts) expect(Math.min(...questions.flat())).toBeGreaterThan(cut!)
    },
  )
})
