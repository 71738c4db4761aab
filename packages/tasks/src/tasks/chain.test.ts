import { describe, expect, it } from 'vitest'
import { chain } from './chain.ts'

describe('chain', () => {
  it('computes right, stays within 0…29 and never changes a variable', () => {
    for (let seed = 0; seed < 50; seed++) {
      const { text } = chain({
        setting: 'interleaved',
        facts: 5,
        steps: 40,
        hops: 8,
        length: { targetWords: 600 },
      }).sample(seed)
      const named = [...text.matchAll(/(?:let|gives) (v\w)/g)].map(([, name]) => name)
      expect(new Set(named).size).toBe(named.length)
      for (const [, from, operator, amount, result] of text.matchAll(
        /take v\w (\d+) (plus|minus) (\d) gives (?:v\w )?(\d+)/g,
      )) {
        expect(Number(from) + (operator === 'plus' ? 1 : -1) * Number(amount)).toBe(Number(result))
        expect(Number(result)).toBeGreaterThanOrEqual(0)
        expect(Number(result)).toBeLessThanOrEqual(29)
      }
    }
  })

  it('asks for two things a step: the value at hand, remembered from its statement, and the result', () => {
    const { questions, words } = chain({ facts: 3, steps: 6, hops: 4 }).sample(1)
    expect(questions).toHaveLength(12)
    for (const [i, { answers }] of questions.entries()) {
      const [{ spans, start, text, distance }] = answers as [(typeof answers)[0]]
      const [span] = spans as [(typeof spans)[0]]
      const remembered = words.slice(span.start, span.end)
      if (i % 2 === 0) expect(remembered).toEqual([words[start - 1], text])
      else {
        expect(remembered[1]).toMatch(/^(plus|minus)$/)
        expect([4, 5]).toContain(distance)
      }
    }
  })

  it('names results to be taken further, up to the hops asked for', () => {
    const depthOf = (hops: number): number => {
      const { text } = chain({ facts: 1, steps: 60, hops, length: { targetWords: 700 } }).sample(3)
      const depths = new Map<string, number>()
      for (const [, given, from, to] of text.matchAll(/let (v\w)|take (v\w) \d+ \w+ \d gives(?: (v\w))?/g)) {
        if (given) depths.set(given, 0)
        else
          depths.set(to ?? 'result', Math.max(depths.get(from!)! + 1, to ? 0 : (depths.get('result') ?? 0)))
      }
      return Math.max(...depths.values())
    }
    expect(depthOf(1)).toBe(1)
    expect(depthOf(2)).toBe(2)
    expect(depthOf(4)).toBe(4)
  })

  it('announces only variables that are given, not computed', () => {
    const { text, questions, words } = chain({
      setting: 'question-first',
      facts: 6,
      steps: 8,
      hops: 4,
    }).sample(2)
    const announced = [...text.matchAll(/take (v\w) \./g)].map(([, name]) => name)
    const given = new Set([...text.matchAll(/let (v\w)/g)].map(([, name]) => name))
    const asked = new Set(questions.map(({ start }) => words[start + 1]).filter((name) => given.has(name)))
    expect(new Set(announced)).toEqual(asked)
  })

  it('refuses more variables than there are names', () => {
    expect(() => chain({ facts: 17 })).toThrow(/facts must be an integer, in 1…16/)
    expect(() => chain({ hops: 0 })).toThrow(/hops must be an integer, 1 or more/)
  })
})
