import { type Draft, defineTask, roomFor, type TaskFactory, type TaskOptions } from '../define-task.ts'
import { failOption, requireCount, requireOneOf } from '../option-error.ts'
import type { Question, Span } from '../sample.ts'
import { neverTwice, pseudoWord } from '../text/pseudo-words.ts'
import { countWords } from '../text/words.ts'

/** Words that stand in a list more often than the others. */
export interface CommonWordsOptions extends TaskOptions {
  /** `stream` unless given. */
  readonly setting: 'stream' | 'question-first'
  /** How many words are common, all asked for; 10 unless given. */
  readonly commonWords: number
  /** How often each common and each rare word stands in the list. `by-length` unless given: 30 and 3, under 4096 6 and 1. */
  readonly repeats: 'by-length' | Repeats
  /** Whether a solved example stands first; yes unless given. Under 4096 it is a third as long. */
  readonly oneShot: boolean
}

interface Repeats {
  readonly common: number
  readonly rare: number
}

/** Where the list gets longer: more repeats, a longer example. In the unit of the target. */
const longFrom = 4096

/** `1. bokadu 2. rimela 3. bokadu …`, then a question for the common words, in the order in which they first appear. */
export const commonWords: TaskFactory<CommonWordsOptions> = defineTask<CommonWordsOptions>({
  name: 'ruler-like-cwe',
  version: 1,
  source: 'Hsieh et al. 2024 (arXiv:2404.06654), common words extraction; own wording and pseudo-words',
  defaults: {
    length: { targetWords: 4096 },
    setting: 'stream',
    commonWords: 10,
    repeats: 'by-length',
    oneShot: true,
  },
  check: ({ setting, commonWords: common, repeats }) => {
    requireOneOf('setting', setting, ['stream', 'question-first'])
    requireCount('commonWords', common, { least: 1 })
    if (repeats === 'by-length') return
    requireCount('repeats.rare', repeats.rare, { least: 1 })
    requireCount('repeats.common', repeats.common, { least: repeats.rare + 1 })
  },
  write: (draft) => {
    const { options, random, text, words, target } = draft
    const isLong = target >= longFrom
    const common = options.commonWords
    const draw = neverTwice(() => pseudoWord(random))
    if (options.oneShot) {
      const repeats = isLong ? { common: 10, rare: 3 } : { common: 3, rare: 1 }
      writeList(draft, { draw, common, rare: (isLong ? 40 : 20) - 10, repeats, separator: '' })
      text.write('Now the same for another list.', '\n')
    }
    const byLength = isLong ? { common: 30, rare: 3 } : { common: 6, rare: 1 }
    const repeats = options.repeats === 'by-length' ? byLength : options.repeats
    const says = wording(options)
    const opening = options.setting === 'question-first' ? [says.opening, says.question] : [says.opening]
    const fixed = [...opening, says.question, says.reply].reduce((sum, line) => sum + countWords(line), 0)
    // An entry is a number, a full stop and a word; so is an answer.
    const room = roomFor(words, text.length + fixed + 3 * common * (repeats.common + 1))
    const rare = Math.floor(room / (3 * repeats.rare))
    if (rare === 0) failOption(`${words} words leave no room for a rare word`, 'raise length')
    text.ask(writeList(draft, { draw, common, rare, repeats, separator: '\n' }))
  },
})

function wording({ commonWords: common }: CommonWordsOptions): {
  opening: string
  question: string
  reply: string
} {
  return {
    opening: 'Find the words that appear most often in the numbered list below.',
    question: `Which ${common === 1 ? 'word appears' : `${common} words appear`} most often? Keep the order of the list.`,
    reply: 'The most common words are:',
  }
}

interface ListShape {
  readonly draw: () => string
  readonly common: number
  readonly rare: number
  readonly repeats: Repeats
  readonly separator: string
}

function writeList(
  { options, random, text }: Draft<CommonWordsOptions>,
  { draw, common, rare, repeats, separator }: ListShape,
): Question {
  const says = wording(options)
  const chosen = new Set(Array.from({ length: common }, draw))
  const others = Array.from({ length: rare }, draw)
  const often = [...chosen].flatMap((word) => Array.from({ length: repeats.common }, () => word))
  const list = random.shuffle([
    ...often,
    ...others.flatMap((word) => Array.from({ length: repeats.rare }, () => word)),
  ])
  text.write(says.opening, separator)
  if (options.setting === 'question-first') text.write(says.question, '\n')
  const places = new Map<string, Span[]>()
  for (const [i, word] of list.entries()) {
    const { end } = text.write(`${i + 1}. ${word}`, i === 0 ? '\n' : ' ')
    if (!chosen.has(word)) continue
    const spans = places.get(word) ?? []
    places.set(word, spans)
    spans.push({ start: end - 1, end })
  }
  const { start } = text.write(says.question, '\n')
  text.write(says.reply)
  const answers = [...places].map(([word, spans], i) => {
    text.write(`${i + 1}.`)
    return text.answer(word, { spans, lastSeen: spans.at(-1)!.start })
  })
  return { start, match: 'all', answers }
}
