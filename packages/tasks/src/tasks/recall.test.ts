import { describe, expect, it } from 'vitest'
import type { Sample } from '../sample.ts'
import { recall } from './recall.ts'

const sentencesOf = ({ text }: Sample): string[] => text.split(' .').map((sentence) => sentence.trim())
const kindsOf = (sample: Sample): string[] => sentencesOf(sample).map((sentence) => sentence.split(' ')[0]!)

/** The latest place before an answer where its thing is named together with its place. */
function latestStatement({ words }: Sample, answer: number): number {
  const thing = words[answer - 1]
  for (let i = answer - 1; i > 1; i--) {
    if (words[i - 1] === thing && ['put', 'find'].includes(words[i - 2]!) && words[i] === words[answer])
      return i
  }
  return -1
}

describe('recall', () => {
  it.each(['stream', 'interleaved', 'question-first'] as const)(
    'has its facts and questions in %s',
    (setting) => {
      const sample = recall({ setting, facts: 9, questions: 7 }).sample(1)
      const kinds = kindsOf(sample)
      expect(kinds.filter((kind) => kind === 'put')).toHaveLength(9)
      expect(sample.questions).toHaveLength(7)
      const things = sentencesOf(sample).flatMap((sentence) => /^put (\w+)/.exec(sentence)?.[1] ?? [])
      expect(new Set(things).size).toBe(9)
    },
  )

  it('asks after everything else in a stream, and each thing once before any again', () => {
    const sample = recall({ facts: 5, questions: 8 }).sample(2)
    const kinds = kindsOf(sample).filter((kind) => kind !== '')
    expect(kinds.slice(-8)).toEqual(Array(8).fill('find'))
    expect(kinds.slice(0, -8)).not.toContain('find')
    const asked = sample.questions.map(({ start }) => sample.words[start + 1])
    expect(new Set(asked.slice(0, 5)).size).toBe(5)
  })

  it('spreads the questions through an interleaved text', () => {
    const sample = recall({
      setting: 'interleaved',
      facts: 8,
      questions: 20,
      length: { targetWords: 400 },
    }).sample(3)
    expect(kindsOf(sample)[0]).toBe('put')
    const starts = sample.questions.map(({ start }) => start / sample.words.length)
    expect(Math.min(...starts)).toBeLessThan(0.4)
    expect(Math.max(...starts)).toBeGreaterThan(0.7)
  })

  it('announces what it will ask for, without the answers', () => {
    const sample = recall({ setting: 'question-first', facts: 8, questions: 3 }).sample(4)
    const announced = sentencesOf(sample).slice(0, 3)
    const asked = sample.questions.map(({ start }) => `find ${sample.words[start + 1]}`)
    expect(new Set(announced)).toEqual(new Set(asked))
    expect(kindsOf(sample).slice(3, -4)).not.toContain('find')
  })

  it('remembers the thing and the place, and measures from the latest statement of both', () => {
    for (let seed = 0; seed < 20; seed++) {
      const sample = recall({ setting: 'interleaved', facts: 6, questions: 15 }).sample(seed)
      for (const { answers } of sample.questions) {
        const [{ start, spans, lastSeen, distance, text }] = answers as [(typeof answers)[0]]
        const [span] = spans as [(typeof spans)[0]]
        expect(sample.words.slice(span.start - 1, span.end)).toEqual(['put', sample.words[start - 1], text])
        expect(lastSeen).toBe(latestStatement(sample, start))
        expect(distance).toBe(start - lastSeen)
      }
    }
  })

  it('names no thing or place in plain noise', () => {
    const sample = recall({ noise: 'plain', facts: 2, questions: 2, length: { targetWords: 2000 } }).sample(5)
    expect(sample.words).not.toContain('visits')
    expect(sample.words).not.toContain('sees')
  })

  it.each([
    [{ facts: 21 }, /facts must be an integer, in 1…20; got 21/],
    [{ questions: 0 }, /questions must be an integer, 1 or more; got 0/],
    [{ noise: 'loud' as 'plain' }, /noise must be one of plain, mentioning; got loud/],
  ])('refuses %o', (options, message) => {
    expect(() => recall(options)).toThrow(message)
    expect(() => recall(options)).toThrow(expect.objectContaining({ code: 'TRIMKV_OPTION' }))
  })

  it('says how many words the options need', () => {
    const task = recall({ facts: 20, questions: 20, length: { targetWords: 100 } })
    expect(() => task.sample(1)).toThrow(/the text needs 160 words and may have 100/)
  })
})
