import type { Answer, Question, Span } from '../sample.ts'
import { splitWords } from './words.ts'

/** Grows a text by pieces and keeps count of its words, so that places in it can be named while it is written. */
export interface TextBuilder {
  /** How many words there are so far: the index of the next one. */
  readonly length: number
  readonly questions: readonly Question[]
  /** Appends a piece after a separator (one space unless given) and says which words it became. */
  write(piece: string, separator?: string): Span
  /** Appends a piece that earlier words determine. */
  answer(piece: string, from: AnswerOrigin): Answer
  ask(question: Question): void
  finish(): { text: string; words: readonly string[]; offsets: readonly number[] }
}

/** Where the words of an answer come from. */
interface AnswerOrigin {
  /** The earlier words without which it cannot be known. */
  readonly spans: readonly Span[]
  /** The first word of its latest earlier statement. */
  readonly lastSeen: number
  readonly separator?: string
}

export function createText(): TextBuilder {
  const words: string[] = []
  const offsets: number[] = []
  const questions: Question[] = []
  let text = ''
  const write = (piece: string, separator = ' '): Span => {
    const start = words.length
    if (text !== '') text += separator
    let from = 0
    for (const word of splitWords(piece)) {
      from = piece.indexOf(word, from)
      offsets.push(text.length + from)
      words.push(word)
      from += word.length
    }
    text += piece
    return { start, end: words.length }
  }
  return {
    get length() {
      return words.length
    },
    questions,
    write,
    answer: (piece, { spans, lastSeen, separator }) => {
      const { start, end } = write(piece, separator)
      return { text: piece, start, end, spans, lastSeen, distance: start - lastSeen }
    },
    ask: (question) => questions.push(question),
    finish: () => ({ text, words, offsets }),
  }
}
