import { defineTask, roomFor, type TaskFactory, type TaskOptions } from '../define-task.ts'
import { failOption, requireCount, requireOneOf } from '../option-error.ts'
import type { Span } from '../sample.ts'
import { letters, neverTwice } from '../text/pseudo-words.ts'
import { countWords } from '../text/words.ts'

/** Words whose frequencies fall as a power of their rank. */
export interface FrequentWordsOptions extends TaskOptions {
  /** `stream` unless given. */
  readonly setting: 'stream' | 'question-first'
  /** How many words are asked for; 3 unless given. */
  readonly frequentWords: number
  /** Rank r appears `floor(N · r^-exponent / ζ(exponent))` times; 2 unless given, more than 1. Higher is easier. */
  readonly exponent: number
}

/**
 * A coded text of six-letter words, the most frequent of which is `...` and stands for nothing; then a question for the next
 * ones, most frequent first. There is a word per 50 of length, and no two that could be confused are equally frequent.
 */
export const frequentWords: TaskFactory<FrequentWordsOptions> = defineTask<FrequentWordsOptions>({
  name: 'ruler-like-fwe',
  version: 1,
  source: 'Hsieh et al. 2024 (arXiv:2404.06654), frequent words extraction; own wording',
  defaults: { length: { targetWords: 4096 }, setting: 'stream', frequentWords: 3, exponent: 2 },
  check: ({ setting, frequentWords: asked, exponent }) => {
    requireOneOf('setting', setting, ['stream', 'question-first'])
    requireCount('frequentWords', asked, { least: 1 })
    if (!(exponent > 1 && exponent < 10)) {
      failOption(`exponent must be between 1 and 10; got ${exponent}`, 'change exponent')
    }
  },
  write: ({ options, random, text, words, target }) => {
    const { setting, frequentWords: asked, exponent } = options
    const opening = 'Count the coded words below; three dots stand for nothing.'
    const question =
      asked === 1
        ? 'Which word is most frequent?'
        : `Which ${asked} words are most frequent? Begin with the first.`
    const reply = 'The most frequent words are'
    const head = setting === 'question-first' ? [opening, question] : [opening]
    const fixed = [...head, question, reply].reduce((sum, line) => sum + countWords(line), 0)
    const room = roomFor(words, fixed + 2 * asked)
    const ranks = Math.max(asked + 2, Math.floor(target / 50))
    const counts = countsWithin(room, { ranks, exponent, asked })

    const draw = neverTwice(() => letters(random, 6))
    const vocabulary = counts.map((_, rank) => (rank === 0 ? '...' : draw()))
    const coded = random.shuffle(
      vocabulary.flatMap((word, rank) => Array.from({ length: counts[rank]! }, () => word)),
    )
    for (const line of head) text.write(line, '\n')
    const places = new Map<string, Span[]>(vocabulary.map((word) => [word, []]))
    for (const [i, word] of coded.entries()) places.get(word)!.push(text.write(word, i === 0 ? '\n' : ' '))
    const { start } = text.write(question, '\n')
    text.write(reply)
    const answers = vocabulary.slice(1, asked + 1).map((word, i) => {
      if (i > 0) text.write(',', '')
      const spans = places.get(word)!
      return text.answer(word, { spans, lastSeen: spans.at(-1)!.start })
    })
    text.write('.', '')
    text.ask({ start, match: 'all', answers })
  },
})

/** How often each rank appears in the longest text that fits, such that ranks that are asked for differ. */
function countsWithin(
  room: number,
  { ranks, exponent, asked }: { ranks: number; exponent: number; asked: number },
): number[] {
  const scale = zeta(exponent)
  const countsOf = (size: number): number[] =>
    Array.from({ length: ranks }, (_, i) => Math.floor((size * (i + 1) ** -exponent) / scale))
  const total = (size: number): number => countsOf(size).reduce((sum, count) => sum + count, 0)
  let size = room
  while (total(size + 1) <= room) size++
  for (; size > 0; size--) {
    const counts = countsOf(size)
    const differ = counts.slice(1, asked + 1).every((count, i) => count > counts[i + 2]!)
    if (differ) return counts.filter((count) => count > 0)
  }
  return failOption(
    `${room} words of coded text cannot have ${asked} words of different frequency`,
    'raise length, or lower frequentWords or exponent',
  )
}

/** Riemann's ζ(s) for s > 1, by its first thousand terms and the integral of the others. */
function zeta(s: number): number {
  let sum = 0
  for (let n = 1; n < 1000; n++) sum += n ** -s
  return sum + 1000 ** (1 - s) / (s - 1) + 1000 ** -s / 2
}
