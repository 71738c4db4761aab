import { describe, expect, it } from 'vitest'
import { recallText } from './recall-text.ts'

const options = { seed: 5, facts: 8, questions: 12, words: 240 }

describe('recallText', () => {
  it('gives the same text for a seed and another for another', () => {
    expect(recallText(options)).toEqual(recallText(options))
    expect(recallText({ ...options, seed: 6 }).words).not.toEqual(recallText(options).words)
  })

  it('asks only for what a fact of the text says', () => {
    const text = recallText(options)
    expect(text.answers).toHaveLength(12)
    for (const answer of text.answers) {
      const [find, thing, place] = text.words.slice(answer - 2, answer + 1)
      const stated = text.words.findIndex((word, i) => word === 'put' && text.words[i + 1] === thing)
      expect(find).toBe('find')
      expect(text.words[stated + 2]).toBe(place)
      expect(text.facts).toContain(stated + 2)
      expect(stated).toBeLessThan(answer)
    }
  })

  it('says when a text cannot be so short', () => {
    expect(() => recallText({ ...options, words: 10 })).toThrowError(
      expect.objectContaining({ code: 'TRIMKV_OPTION' }),
    )
  })
})
