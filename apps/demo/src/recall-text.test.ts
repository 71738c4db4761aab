import { describe, expect, it } from 'vitest'
import { recallText } from './recall-text.ts'

const options = { seed: 5, facts: 8, noise: 20 }

describe('recallText', () => {
  it('gives the same text for a seed and another for another', () => {
    expect(recallText(options)).toEqual(recallText(options))
    expect(recallText({ ...options, seed: 6 }).words).not.toEqual(recallText(options).words)
  })

  it('asks for every fact once, and every answer stands in the facts only', () => {
    const text = recallText(options)
    expect(text.answers).toHaveLength(8)
    for (const answer of text.answers) {
      const [find, thing, place] = text.words.slice(answer - 2, answer + 1)
      expect(find).toBe('find')
      const source = text.facts.findIndex((at) => text.words[at] === thing && text.words[at - 1] === 'put')
      expect(text.words[text.facts[source]! + 1]).toBe(place)
      expect(answer).toBeGreaterThanOrEqual(text.questionsStart)
    }
    expect(new Set(text.answers.map((a) => text.words[a - 1])).size).toBe(8)
  })
})
