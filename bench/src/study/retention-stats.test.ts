import { tasks } from '@trimkv/tasks'
import { describe, expect, it } from 'vitest'
import { countMoment, emptyCounts, headKind, summary } from './retention-stats.ts'
import { classesOf, type WordClass, wordClasses } from './word-classes.ts'

const none = Object.fromEntries(wordClasses.map((name) => [name, 0])) as Record<WordClass, number>

describe('classesOf', () => {
  it.each(['recall', 'chain', 'code'] as const)('gives every word of a %s text a class', (task) => {
    for (let index = 0; index < 20; index++) {
      const sample = tasks[task]().sample(3, index)
      const classes = classesOf(sample)
      expect(classes).toHaveLength(sample.words.length)
      for (const [word, name] of classes.entries()) {
        expect(name === 'full stops').toBe(sample.words[word] === '.')
      }
    }
  })

  it('knows facts, questions and answers', () => {
    const sample = tasks.recall({ facts: 1, questions: 1, length: { targetWords: 8 } }).sample(1)
    expect(classesOf(sample)).toEqual([
      'fact openers',
      'fact keys',
      'fact values',
      'full stops',
      'question words',
      'question words',
      'answers',
      'full stops',
    ])
  })

  it('takes what is remembered for a code to be its numbers', () => {
    const sample = tasks.code({ facts: 1, questions: 1, codeWords: 2, length: { targetWords: 9 } }).sample(1)
    expect(classesOf(sample).slice(0, 4)).toEqual([
      'fact openers',
      'code numbers',
      'code numbers',
      'full stops',
    ])
  })
})

describe('countMoment', () => {
  it('counts sinks, newest tokens and older facts', () => {
    const counts = emptyCounts()
    const classes: WordClass[] = [
      'fact openers',
      'fact keys',
      'fact values',
      'full stops',
      'noise',
      'noise',
      'noise',
    ]
    // Begin token, a key, and the newest: 7 of 8 tokens, of which the last 3 are the newest.
    countMoment(counts, { positions: [0, 2, 7], seen: 8, budget: 3, classes })
    expect(counts).toMatchObject({ slots: 3, first: 2, firstPossible: 4, newest: 1, olderFacts: 1 })
    expect(counts.kept).toEqual({ ...none, 'fact keys': 1, noise: 1 })
  })
})

describe('headKind', () => {
  it.each([
    ['sliding window', { newest: 0.9, facts: 0.9, first: 1 }],
    ['content store', { newest: 0.5, facts: 0.3, first: 1 }],
    ['sink', { newest: 0.5, facts: 0.1, first: 0.75 }],
    ['mixed', { newest: 0.5, facts: 0.1, first: 0.25 }],
  ] as const)('%s', (kind, figures) => {
    expect(headKind(figures, 0.1)).toBe(kind)
  })
})

describe('summary', () => {
  it('weighs all heads and texts by what was counted', () => {
    const window = {
      ...emptyCounts(),
      beta: 9,
      tokens: 10,
      slots: 100,
      newest: 80,
      firstPossible: 40,
      kept: { ...none, noise: 100 },
    }
    const store = {
      ...window,
      beta: 99,
      tokens: 100,
      newest: 20,
      olderFacts: 60,
      kept: { ...none, 'fact keys': 60, noise: 40 },
    }
    const read = { ...none, 'fact keys': 10, noise: 90 }
    const made = summary({ budget: 4, texts: 2, heads: [[window], [store]], read, readTokens: 100 })
    expect(made.heads.map(({ kind }) => kind)).toEqual(['sliding window', 'content store'])
    expect(made.heads.map(({ meanBeta }) => meanBeta)).toEqual([0.9, 0.99])
    expect(made.kept).toEqual({ ...none, 'fact keys': 0.3, noise: 0.7 })
    expect(made.heads[1]!.facts).toBe(0.75)
  })
})
