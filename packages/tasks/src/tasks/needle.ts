import { type Draft, defineTask, roomFor, type TaskFactory, type TaskOptions } from '../define-task.ts'
import { requireCount, requireOneOf } from '../option-error.ts'
import type { Random } from '../random.ts'
import type { Span } from '../sample.ts'
import { type Setting, settings } from '../setting.ts'
import { essay, fill, refrainLines } from '../text/prose.ts'
import { neverTwice, pseudoKey, sevenDigits, uuid } from '../text/pseudo-words.ts'
import { countWords } from '../text/words.ts'

/** Values hidden under keys. */
export interface NeedleOptions extends TaskOptions {
  /** `stream` unless given: one question about all queried keys. `interleaved`: one per key, once its values were stated. */
  readonly setting: Setting
  /** How many keys there are; 4 unless given. Those that are not queried are distractors. */
  readonly keys: number
  /** Values per key; 1 unless given. `keys · values` is at most 40. */
  readonly values: number
  /** How many keys are asked for, at most `keys`; 1 unless given. */
  readonly queries: number
  /** The filler: five sentences over and over, an invented essay, or more needles. `essay` unless given. */
  readonly haystack: 'noise' | 'essay' | 'needles'
  /** `words` (adjective-noun) unless given. */
  readonly keyKind: 'words' | 'uuids'
  /** `numbers` (seven digits) unless given. */
  readonly valueKind: 'numbers' | 'words' | 'uuids'
}

interface Needle {
  readonly key: string
  readonly value: string
}

type Piece = string | Needle | { readonly asked: string }

const draws = { numbers: sevenDigits, words: pseudoKey, uuids: uuid }

const defaults: NeedleOptions = {
  length: { targetWords: 256 },
  setting: 'stream',
  keys: 4,
  values: 1,
  queries: 1,
  haystack: 'essay',
  keyKind: 'words',
  valueKind: 'numbers',
}

/** A task of this family under another name, with other defaults. */
export function needleTask(name: string, preset: Partial<NeedleOptions>): TaskFactory<NeedleOptions> {
  return defineTask<NeedleOptions>({
    name,
    version: 1,
    source: 'Hsieh et al. 2024 (arXiv:2404.06654), needle in a haystack; own wording, keys and fillers',
    defaults: { ...defaults, ...preset },
    check,
    write,
  })
}

/**
 * `One of the special magic numbers for brisk-lomane is: 4821973.` somewhere in filler, then a question for some keys. The
 * answers are all their values, key by key, in the order of the text.
 */
export const needle: TaskFactory<NeedleOptions> = needleTask('needle', {})

function check({ setting, keys, values, queries, ...kinds }: NeedleOptions): void {
  requireOneOf('setting', setting, settings)
  requireOneOf('haystack', kinds.haystack, ['noise', 'essay', 'needles'])
  requireOneOf('keyKind', kinds.keyKind, ['words', 'uuids'])
  requireOneOf('valueKind', kinds.valueKind, ['numbers', 'words', 'uuids'])
  requireCount('keys', keys, { least: 1 })
  requireCount('values', values, { least: 1 })
  requireCount('keys · values', keys * values, { least: 1, most: depths.length })
  requireCount('queries', queries, { least: 1, most: keys })
}

function write(draft: Draft<NeedleOptions>): void {
  const { options, random, text, words } = draft
  const drawKey = neverTwice(() => draws[options.keyKind](random))
  const drawValue = neverTwice(() => draws[options.valueKind](random))
  const keys = Array.from({ length: options.keys }, drawKey)
  const needles = random.shuffle(
    keys.flatMap((key) => Array.from({ length: options.values }, () => ({ key, value: drawValue() }))),
  )
  const queried = random.sample(keys, options.queries)
  const groups = options.setting === 'interleaved' ? queried.map((key) => [key]) : [queried]
  const says = wording(options, queried)
  const asksOf = groups.map((group) => `${says.ask(group)} ${says.reply(group)} `).join(' ')
  const gold = needles.filter(({ key }) => queried.includes(key))
  // Each value is followed by a comma or the full stop.
  const answerWords = gold.reduce((sum, { value }) => sum + countWords(value) + 1, 0)
  const announced = options.setting === 'question-first' ? [says.announce] : []
  const lineOf = ({ key, value }: Needle): string =>
    `One of the special magic ${options.valueKind} for ${key} is: ${value}.`
  const fixed = [says.opening, ...announced, asksOf, ...needles.map(lineOf)]
  const room = roomFor(words, fixed.reduce((sum, line) => sum + countWords(line), 0) + answerWords)
  const filler =
    options.haystack === 'essay'
      ? essay(random, room)
      : options.haystack === 'noise'
        ? refrainLines(room)
        : fill(room, () => lineOf({ key: drawKey(), value: drawValue() }))
  let pieces: Piece[] = hide(needles, filler, draft)
  if (options.setting === 'interleaved') {
    for (const key of queried) pieces = withQuestion(pieces, key, random)
  }

  const ask = asker(draft, says)
  text.write(says.opening)
  for (const line of announced) text.write(line, '\n')
  let separator = '\n'
  for (const piece of pieces) {
    if (typeof piece === 'string') text.write(piece, separator)
    else if ('asked' in piece) ask.question([piece.asked], separator)
    else ask.state(piece, text.write(lineOf(piece), separator))
    separator = options.haystack === 'essay' ? ' ' : '\n'
  }
  if (options.setting !== 'interleaved') ask.question(queried, '\n')
}

/** The 40 depths that a needle may have in an essay, in percent of its sentences. */
const depths = Array.from({ length: 40 }, (_, i) => Math.round((100 * i) / 39))

function hide(needles: readonly Needle[], filler: readonly string[], draft: Draft<NeedleOptions>): Piece[] {
  const { options, random } = draft
  const gaps = Array.from({ length: filler.length + 1 }, (_, i) => i)
  const drawn =
    options.haystack === 'essay'
      ? random.sample(depths, needles.length).map((depth) => Math.floor((filler.length * depth) / 100))
      : needles.length <= gaps.length
        ? random.sample(gaps, needles.length)
        : needles.map(() => random.pick(gaps))
  const places = drawn.sort((a, b) => a - b)
  let next = 0
  return gaps.flatMap((gap) => {
    const here: Piece[] = []
    while (places[next] === gap) here.push(needles[next++]!)
    return gap < filler.length ? [...here, filler[gap]!] : here
  })
}

/** Inserts a question somewhere after the last needle of its key. */
function withQuestion(pieces: readonly Piece[], key: string, random: Random): Piece[] {
  const last = pieces.findLastIndex(
    (piece) => typeof piece !== 'string' && 'key' in piece && piece.key === key,
  )
  const at = last + 1 + random.int(pieces.length - last)
  return pieces.toSpliced(at, 0, { asked: key })
}

interface Wording {
  readonly opening: string
  readonly announce: string
  readonly ask: (keys: readonly string[]) => string
  readonly reply: (keys: readonly string[]) => string
}

function wording({ setting, values, valueKind }: NeedleOptions, queried: readonly string[]): Wording {
  const list = (keys: readonly string[]): string =>
    keys.length < 3 ? keys.join(' and ') : `${keys.slice(0, -1).join(', ')}, and ${keys.at(-1)}`
  const isOne = (keys: readonly string[]): boolean => keys.length * values === 1
  const kind = (keys: readonly string[]): string => (isOne(keys) ? valueKind.slice(0, -1) : valueKind)
  const ask = (keys: readonly string[], where: string): string => {
    const question = `What ${isOne(keys) ? 'is' : 'are all'} the special magic ${kind(keys)} for ${list(keys)}${where}?`
    const order = values > 1 ? ' Keep the order of the text.' : ''
    return `${question}${keys.length > 1 ? ' Go key by key.' : ''}${order}`
  }
  const about = isOne(queried) ? 'a special magic' : 'some special magic'
  return {
    opening: `The text below hides ${about} ${kind(queried)}. Keep ${isOne(queried) ? 'it' : 'them'} in mind.`,
    announce: ask(queried, ' in the text below'),
    ask: (keys) => ask(keys, setting === 'interleaved' ? '' : ' in the text above'),
    reply: (keys) => `The special magic ${kind(keys)} for ${list(keys)} ${isOne(keys) ? 'is' : 'are'}`,
  }
}

function asker(
  { text }: Draft<NeedleOptions>,
  says: Wording,
): { state(needle: Needle, line: Span): void; question(keys: readonly string[], separator: string): void } {
  const told = new Map<string, { value: string; span: Span; lastSeen: number }[]>()
  return {
    state: ({ key, value }, { end }) => {
      // The line ends with the key, `is`, a colon, the value and a full stop.
      const place = { value, span: { start: end - 5, end: end - 1 }, lastSeen: end - 2 }
      told.set(key, [...(told.get(key) ?? []), place])
    },
    question: (keys, separator) => {
      const { start } = text.write(says.ask(keys), separator)
      text.write(says.reply(keys))
      const places = keys.flatMap((key) => told.get(key)!)
      const answers = places.map(({ value, span, lastSeen }, i) => {
        if (i > 0) text.write(',', '')
        return text.answer(value, { spans: [span], lastSeen })
      })
      text.write('.', '')
      text.ask({ start, match: 'all', answers })
    },
  }
}
