import { describe, expect, it } from 'vitest'
import type { Question } from './sample.ts'
import { scoreAnswer } from './score-answer.ts'

const question = (match: Question['match'], ...texts: string[]): Question => ({
  start: 0,
  match,
  answers: texts.map((text) => ({ text, start: 1, end: 2, spans: [], lastSeen: 0, distance: 1 })),
})

describe('scoreAnswer', () => {
  it.each([
    ['all', ['12', '34'], 'They are 34 and 12.', 1],
    ['all', ['12', '34'], 'It is 12.', 0.5],
    ['all', ['12', '34'], 'I do not know.', 0],
    ['all', ['Barn'], 'in the BARN', 1],
    // RULER's substring match knows no word boundaries.
    ['all', ['12'], '9129', 1],
    ['all', ['a b'], 'a\tb', 0],
    ['any', ['barn', 'attic'], 'the attic', 1],
    ['any', ['barn', 'attic'], 'barn, attic', 1],
    ['any', ['barn', 'attic'], 'the yard', 0],
    ['words', ['barn'], 'barn . find key', 1],
    ['words', ['barn'], 'the barn', 0],
    ['words', ['12'], '129', 0],
    ['words', ['4 8 21'], '4 9 21 .', 2 / 3],
    ['words', ['4 8 21'], '4', 1 / 3],
    ['words', ['4 8 21'], '', 0],
  ] as const)('%s of %j in %j is %d', (match, texts, reply, score) => {
    expect(scoreAnswer(question(match, ...texts), reply)).toBeCloseTo(score, 12)
  })
})
