import type { Tokenizer } from '@trimkv/io'
import { describe, expect, it } from 'vitest'
import { Answer, type AnswerOptions } from './answer.ts'

const words = [' one', ' two', ' three', '<end>', ' héllo']

/** Holds back the text of id 4 until the next token, as a decoder does inside a character. */
const tokenizer = {
  streamDecoder: () => {
    let held = ''
    return {
      push(id: number) {
        const text = held + words[id]
        held = id === 4 ? text : ''
        return id === 4 ? '' : text
      },
      flush() {
        const text = held
        held = ''
        return text
      },
    }
  },
} as unknown as Tokenizer

const logitsFor = (id: number) => Float32Array.from(words, (_, at) => (at === id ? 5 : 0))

function answer(ids: number[], options: Partial<AnswerOptions> = {}) {
  const made = new Answer({
    sampling: {},
    promptIds: [],
    maxNew: 10,
    stop: [],
    stopIds: new Set(),
    endIds: new Set([3]),
    logProbs: undefined,
    tokenizer,
    ...options,
  })
  const texts = ids.map((id) => made.take(logitsFor(id)).text)
  return { made, texts }
}

describe('Answer', () => {
  it('ends with an end token, which gives no text but what was held back', () => {
    const { made, texts } = answer([0, 4, 3])
    expect(texts).toEqual([' one', '', ' héllo'])
    expect(made).toMatchObject({ reason: 'end', ids: [0, 4, 3], text: ' one héllo' })
  })

  it('ends at its length and then shows all it held back', () => {
    const { made, texts } = answer([0, 4], { maxNew: 2, stop: [' héllo!'] })
    expect(texts).toEqual([' one', ' héllo'])
    expect(made.reason).toBe('length')
  })

  it('ends before a stop string, and at its length when both come together', () => {
    const { made, texts } = answer([0, 1, 2], { stop: ['wo th'] })
    expect(texts).toEqual([' one', ' t', ''])
    expect(made).toMatchObject({ reason: 'stop', stop: 'wo th', text: ' one t' })
    expect(answer([0, 1], { maxNew: 2, stop: ['two'] }).made).toMatchObject({ reason: 'stop', text: ' one ' })
  })

  it('ends after a stop id', () => {
    expect(answer([0, 2], { stopIds: new Set([2]) }).made).toMatchObject({
      reason: 'stop',
      text: ' one',
      stop: undefined,
    })
  })

  it('has no text without a tokenizer', () => {
    expect(answer([0, 1], { tokenizer: undefined }).texts).toEqual(['', ''])
  })

  it('has a mean log-probability where logits are NaN or infinite', () => {
    const { made } = answer([], { logProbs: 0 })
    made.take(Float32Array.of(NaN, Infinity, 0, NaN, Infinity))
    expect(made.meanLogProb).toBe(-Math.log(2))
  })

  it.each([-1, 1.5, NaN, '3'])('refuses to report %o of the most likely tokens', (logProbs) => {
    expect(() => answer([], { logProbs: logProbs as number })).toThrow(
      expect.objectContaining({ code: 'TRIMKV_OPTION', details: { option: 'logProbs', value: logProbs } }),
    )
  })
})
