import { describe, expect, it } from 'vitest'
import { uniformDraw } from '../sampling/uniform-draw.ts'
import { createStopStrings } from './stop-strings.ts'

function run(stops: string[], pieces: string[]) {
  const matcher = createStopStrings(stops)
  let text = ''
  for (const piece of pieces) {
    const step = matcher.push(piece)
    text += step.text
    if (step.stop !== undefined) return { text, stop: step.stop }
  }
  return { text: text + matcher.flush(), stop: undefined }
}

describe('createStopStrings', () => {
  it('finds a stop string that spans pieces and shows nothing of it', () => {
    const matcher = createStopStrings(['<end>'])
    expect(matcher.push('one <')).toEqual({ text: 'one ' })
    expect(matcher.push('en')).toEqual({ text: '' })
    expect(matcher.push('d> two')).toEqual({ text: '', stop: '<end>' })
  })

  it('releases withheld text as soon as it cannot become a stop string', () => {
    const matcher = createStopStrings(['aab'])
    expect(matcher.push('aa')).toEqual({ text: '' })
    expect(matcher.push('a')).toEqual({ text: 'a' })
    expect(matcher.push('c')).toEqual({ text: 'aac' })
    expect(matcher.flush()).toBe('')
  })

  it('gives back what it withheld when the text ends', () => {
    expect(run(['<end>'], ['a<e', 'n'])).toEqual({ text: 'a<en', stop: undefined })
  })

  it('lets the stop that is complete first win, the longer of two that end together', () => {
    expect(run(['abc', 'b'], ['xabc'])).toEqual({ text: 'xa', stop: 'b' })
    expect(run(['bc', 'abc'], ['xabc'])).toEqual({ text: 'x', stop: 'abc' })
  })

  it('does not depend on how the text is cut', () => {
    const letters = 'ab\n'
    for (let trial = 0; trial < 300; trial++) {
      let n = 0
      const random = (size: number) => Math.floor(uniformDraw(trial, n++) * size)
      const word = (length: number) => Array.from({ length }, () => letters[random(3)]).join('')
      const text = word(14)
      const stops = [word(1 + random(4)), word(2 + random(4))]
      const cut = Array.from({ length: 14 }, (_, i) => text.slice(i, i + 1))
      const pairs = Array.from({ length: 7 }, (_, i) => text.slice(2 * i, 2 * i + 2))
      expect(run(stops, cut)).toEqual(run(stops, [text]))
      expect(run(stops, pairs)).toEqual(run(stops, [text]))
    }
  })

  it('passes everything through without stop strings and refuses an empty one', () => {
    expect(createStopStrings([]).push('abc')).toEqual({ text: 'abc' })
    expect(() => createStopStrings([''])).toThrow(expect.objectContaining({ code: 'TRIMKV_OPTION' }))
  })
})
