import { describe, expect, it } from 'vitest'
import { code } from './code.ts'

describe('code', () => {
  it('asks for the latest code, and measures from the latest time it was written', () => {
    for (let seed = 0; seed < 20; seed++) {
      const { questions, words } = code({ setting: 'interleaved', facts: 4, questions: 6 }).sample(seed)
      expect(words.filter((word) => word === 'code')).toHaveLength(4)
      expect(questions).toHaveLength(6)
      for (const { answers, start } of questions) {
        const [{ spans, lastSeen, text }] = answers as [(typeof answers)[0]]
        const latest = words.lastIndexOf('code', start)
        expect(spans).toEqual([{ start: latest + 1, end: latest + 7 }])
        const repeated = words.slice(0, start).lastIndexOf('repeat')
        expect(lastSeen).toBe(Math.max(latest + 1, repeated + 2))
        expect(words.slice(lastSeen, lastSeen + 6).join(' ')).toBe(text)
      }
    }
  })

  it('passes all codes before it asks in a stream', () => {
    const { text } = code({ facts: 5, questions: 2 }).sample(1)
    expect(text.lastIndexOf('code')).toBeLessThan(text.indexOf('repeat'))
  })

  it('has codes of the length asked for', () => {
    const { questions } = code({ codeWords: 11 }).sample(1)
    for (const { answers } of questions) expect(answers[0]!.end - answers[0]!.start).toBe(11)
  })

  it('knows no question before the text', () => {
    expect(() => code({ setting: 'question-first' as 'stream' })).toThrow(
      /setting must be one of stream, interleaved/,
    )
  })
})
