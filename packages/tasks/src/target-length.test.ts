import { describe, expect, it } from 'vitest'
import { fitLength } from './target-length.ts'

const text = (words: number): { text: string } => ({ text: 'ab '.repeat(words) })

describe('fitLength', () => {
  it('passes words on as they are', () => {
    expect(fitLength({ targetWords: 7 }, text).text.length).toBe(21)
  })

  it.each([0.2, 1, 1.3, 4, 30])('finds the words when one is %d tokens', (tokensPerWord) => {
    const countTokens = (each: string): number => Math.ceil((each.length / 3) * tokensPerWord)
    const tokens = countTokens(fitLength({ targetTokens: 5000, countTokens }, text).text)
    expect(tokens).toBeLessThanOrEqual(5000)
    expect(tokens).toBeGreaterThanOrEqual(4500)
  })

  it('gives up on texts that never fit', () => {
    expect(() => fitLength({ targetTokens: 100, countTokens: () => 5000 }, text)).toThrow(
      /no text of 100 tokens/,
    )
    expect(() => fitLength({ targetTokens: 100, countTokens: () => Number.NaN }, text)).toThrow(
      /countTokens gave NaN/,
    )
    expect(() => fitLength({ targetTokens: 0, countTokens: () => 1 }, text)).toThrow(/targetTokens must be/)
  })
})
