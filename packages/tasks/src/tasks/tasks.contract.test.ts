import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { solvers } from '../../test/solvers.ts'
import { curriculum } from '../curriculum.ts'
import type { Task, TaskFactory, TaskOptions } from '../define-task.ts'
import { type Answer, answerWords, goldReply, promptOf, type Sample } from '../sample.ts'
import { scoreAnswer } from '../score-answer.ts'
import { type Setting, settings } from '../setting.ts'
import { countWords, splitWords } from '../text/words.ts'
import { type TaskName, tasks } from './index.ts'

const names = Object.keys(tasks) as TaskName[]
const interleavable = new Set<TaskName>(['recall', 'chain', 'code', 'needle'])
const withDefaults = (name: TaskName, options: Partial<TaskOptions & { setting: Setting }> = {}): Task =>
  (tasks[name] as TaskFactory<TaskOptions>)(options)

const settingsOf = (name: TaskName): Setting[] =>
  settings.filter((setting) => {
    if (setting === 'question-first') return name !== 'code'
    return setting !== 'interleaved' || interleavable.has(name) || name.includes('niah')
  })

const difficulties = [0, 0.1, 0.25, 0.4, 0.6, 0.75, 0.9, 1]

/** Samples of the task as it is by default and all along its curriculum, in every setting. */
function* samplesOf(name: TaskName): Generator<Sample> {
  for (const setting of settingsOf(name)) {
    yield withDefaults(name, { setting }).sample(7, 3)
    for (const difficulty of difficulties) {
      const task = curriculum(name, { difficulty, setting })
      for (let index = 0; index < 5; index++) yield task.sample(11, index)
    }
  }
}

describe.each(names)('task %s', (name) => {
  let made: Sample[] | undefined
  const samples = (): Sample[] => {
    made ??= [...samplesOf(name)]
    return made
  }

  it('carries its name, a version and a source', () => {
    const task = withDefaults(name)
    expect(task.name).toBe(name)
    expect(task.version).toBeGreaterThanOrEqual(1)
    expect(task.source.length).toBeGreaterThan(10)
    expect(task.sample(1)).toMatchObject({ task: name, version: task.version, seed: 1, index: 0 })
  })

  it('gives the same sample for a seed and index, whatever was made before, and others otherwise', () => {
    const task = curriculum(name, { difficulty: 0.6 })
    const first = task.sample(5, 2)
    const others = [task.sample(5, 1), task.sample(6, 2), task.sample(-5, 2)]
    expect(curriculum(name, { difficulty: 0.6 }).sample(5, 2)).toEqual(first)
    expect(task.sample(5, 2)).toEqual(first)
    expect(new Set([first, ...others].map(({ text }) => text)).size).toBe(4)
  })

  it('asks only what the text before the answer determines', () => {
    for (const sample of samples()) {
      expect(sample.questions.length).toBeGreaterThan(0)
      for (const question of sample.questions) {
        const solved = solvers[name](promptOf(sample, question))
        expect(solved, sample.text).toEqual(question.answers.map(({ text }) => text))
      }
    }
  })

  it('scores the right reply 1 and an empty one 0', () => {
    for (const sample of samples()) {
      for (const question of sample.questions) {
        expect(scoreAnswer(question, goldReply(sample, question))).toBe(1)
        expect(scoreAnswer(question, '')).toBe(0)
      }
    }
  })

  it('names the words it consists of, and where they start', () => {
    for (const { text, words, offsets } of samples()) {
      // Joined, because comparing long arrays item by item takes seconds.
      expect(words.join(' ')).toBe(splitWords(text).join(' '))
      const found = words.map((word, i) => text.slice(offsets[i], offsets[i]! + word.length))
      expect(found.join(' ')).toBe(words.join(' '))
      const ends = words.map((word, i) => offsets[i]! + word.length)
      expect(offsets.findIndex((offset, i) => i > 0 && offset < ends[i - 1]!)).toBe(-1)
    }
  })

  it('names the words of answers and the earlier words they need', () => {
    for (const sample of samples()) {
      expect(answerWords(sample).length).toBe(
        sample.questions.flatMap(({ answers }) => answers.flatMap(({ text }) => splitWords(text))).length,
      )
      let before = 0
      for (const { start, answers } of sample.questions) {
        expect(start).toBeLessThan(answers[0]!.start)
        for (const answer of answers) {
          expect(answer.start).toBeGreaterThanOrEqual(before)
          before = answer.end
          expectPlaced(sample, answer)
        }
      }
    }
  })

  it.each([64, 65, 100, 256, 1000, 2048, 8192])('keeps to a length of %d words', (targetWords) => {
    for (const setting of settingsOf(name)) {
      const easiest = { difficulty: 0, setting, minWords: targetWords, maxWords: Math.max(1024, targetWords) }
      for (let index = 0; index < 4; index++) {
        const { words } = curriculum(name, easiest).sample(3, index)
        expect(words.length).toBeLessThanOrEqual(targetWords)
        expect(words.length).toBeGreaterThanOrEqual(targetWords - Math.max(12, 0.1 * targetWords))
      }
    }
  })

  it('keeps to a length in tokens, however they are counted', () => {
    const countTokens = (text: string): number => 5 + Math.ceil(text.length / 3.5)
    const length = { targetTokens: 6000, countTokens }
    for (const setting of settingsOf(name)) {
      const tokens = countTokens(withDefaults(name, { length, setting }).sample(3).text)
      expect(tokens).toBeLessThanOrEqual(6000)
      expect(tokens).toBeGreaterThanOrEqual(5400)
    }
  })

  it('says what is wrong with options it cannot honour', () => {
    expect(() => withDefaults(name, { length: { targetWords: 20 } }).sample(1)).toThrow(RangeError)
    expect(() => withDefaults(name, { length: { targetWords: Number.NaN } }).sample(1)).toThrow(/targetWords/)
    expect(() => withDefaults(name, { setting: 'backwards' as Setting })).toThrow(/setting must be one of/)
    expect(() => withDefaults(name).sample(0.5)).toThrow(/seed and index must be integers/)
  })

  it('makes 1000 samples of 256 words in 2 seconds', () => {
    const task = curriculum(name, { difficulty: 0.5 })
    const started = performance.now()
    for (let index = 0; index < 1000; index++) task.sample(1, index)
    expect(performance.now() - started).toBeLessThan(2000)
  })
})

/** What an answer names stands before it; what was seen last is, but for results of a computation, the answer itself. */
function expectPlaced(sample: Sample, { text, start, end, spans, lastSeen, distance }: Answer): void {
  const { words } = sample
  expect(words.slice(start, end)).toEqual(splitWords(text))
  expect(end - start).toBe(countWords(text))
  expect(spans.length).toBeGreaterThan(0)
  const misplaced = spans.filter((span) => span.start < 0 || span.end <= span.start || span.end > start)
  expect(misplaced).toEqual([])
  expect(lastSeen).toBeLessThan(start)
  expect(distance).toBe(start - lastSeen)
  if (words[start - 1] === 'gives' || words[start - 2] === 'gives') return
  expect(words.slice(lastSeen, lastSeen + end - start).join(' ')).toBe(splitWords(text).join(' '))
  const remembered = spans.map((span) => words.slice(span.start, span.end).join(' ')).join(' | ')
  expect(remembered).toContain(splitWords(text).join(' '))
}

describe('the registry', () => {
  it('lists the tasks of every file of its folder', () => {
    const folder = new URL('.', import.meta.url)
    const files = readdirSync(folder).filter((file) => !file.includes('.test.') && file !== 'index.ts')
    const index = readFileSync(new URL('index.ts', folder), 'utf8')
    const unlisted = files.filter((file) => !index.includes(`'./${file}'`))
    // A family whose members are presets is listed through them.
    expect(unlisted).toEqual(['question-answering.ts'])
    expect(readFileSync(new URL('ruler-like.ts', folder), 'utf8')).toContain("'./question-answering.ts'")
  })

  it('names each task once', () => {
    expect(new Set(names.map((name) => withDefaults(name).name)).size).toBe(names.length)
  })
})
