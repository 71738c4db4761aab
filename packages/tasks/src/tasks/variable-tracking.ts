import { type Draft, defineTask, roomFor, type TaskFactory, type TaskOptions } from '../define-task.ts'
import { requireCount, requireOneOf } from '../option-error.ts'
import type { Answer, Question, Span } from '../sample.ts'
import { essay, refrainLines } from '../text/prose.ts'
import { capitals, neverTwice } from '../text/pseudo-words.ts'
import { countWords } from '../text/words.ts'

/** Chains of assignments. */
export interface VariableTrackingOptions extends TaskOptions {
  /** `stream` unless given. */
  readonly setting: 'stream' | 'question-first'
  /** How many chains there are; 2 unless given. One is asked for, the others are distractors. */
  readonly chains: number
  /** How many assignments from a variable follow the first one in each chain; 2 unless given. */
  readonly hops: number
  /** `sorted` unless given; `shuffled` lines may use a variable before it is assigned. */
  readonly order: 'sorted' | 'shuffled'
  /** `value` of the last variable of a chain, or all `variables` with a value, in the order of the chain. `value` unless given. */
  readonly ask: 'value' | 'variables'
  /** Five sentences over and over, or an invented essay; `noise` unless given. */
  readonly haystack: 'noise' | 'essay'
  /** Whether a solved example of 300 words and more of filler stands first; no unless given. */
  readonly oneShot: boolean
}

interface Chain {
  readonly value: string
  readonly names: readonly string[]
}

const exampleFillerWords = 300

/** A task of this family under another name, with other defaults. */
export function variableTrackingTask(
  name: string,
  preset: Partial<VariableTrackingOptions>,
): TaskFactory<VariableTrackingOptions> {
  return defineTask<VariableTrackingOptions>({
    name,
    version: 1,
    source: 'Hsieh et al. 2024 (arXiv:2404.06654), variable tracking; own wording and filler',
    defaults: {
      length: { targetWords: 256 },
      setting: 'stream',
      chains: 2,
      hops: 2,
      order: 'sorted',
      ask: 'value',
      haystack: 'noise',
      oneShot: false,
      ...preset,
    },
    check: ({ setting, chains, hops, order, ask, haystack }) => {
      requireOneOf('setting', setting, ['stream', 'question-first'])
      requireOneOf('order', order, ['sorted', 'shuffled'])
      requireOneOf('ask', ask, ['value', 'variables'])
      requireOneOf('haystack', haystack, ['noise', 'essay'])
      requireCount('chains', chains, { least: 1 })
      requireCount('hops', hops, { least: 0 })
    },
    write,
  })
}

/** `VAR QWERT = 48213`, `VAR ASDFG = VAR QWERT` somewhere in filler, then a question about one chain. */
export const variableTracking: TaskFactory<VariableTrackingOptions> = variableTrackingTask(
  'variable-tracking',
  {},
)

function write(draft: Draft<VariableTrackingOptions>): void {
  const { options, random, text, words } = draft
  const { chains: count, hops, oneShot } = options
  const drawValue = neverTwice(() => String(10_000 + random.int(89_999)))
  const chainOf = (letters: number): (() => Chain) => {
    const draw = neverTwice(() => capitals(random, letters))
    return () => ({ value: drawValue(), names: Array.from({ length: hops + 1 }, draw) })
  }
  if (oneShot) {
    const example = instance(draft, [chainOf(3)()], exampleFillerWords)
    example.write('')
    text.write('Now the same for another text.', '\n')
  }
  const chains = Array.from({ length: count }, chainOf(5))
  const { size } = instance(draft, chains, 0)
  const { write: writeText } = instance(draft, chains, roomFor(words, text.length + size))
  text.ask(writeText(oneShot ? '\n' : ''))
}

/** One text with its question and answers, which is about the first chain. */
function instance(
  draft: Draft<VariableTrackingOptions>,
  chains: readonly Chain[],
  fillerWords: number,
): { size: number; write(separator: string): Question } {
  const { options, random, text } = draft
  const asked = chains[0]!
  const says = wording(options, asked)
  const opening = 'Variables are assigned in the text below. Keep track of them.'
  const lines = chains.flatMap(linesOf)
  const announced = options.setting === 'question-first' ? [says.question] : []
  const answerTexts = options.ask === 'value' ? [asked.value] : asked.names
  const fixed = [opening, ...announced, ...lines.map((line) => line.text), says.question, says.reply]
  const size = fixed.reduce((sum, line) => sum + countWords(line), 0) + answerTexts.length + 1
  return {
    size,
    write: (separator) => {
      text.write(opening, separator)
      for (const line of announced) text.write(line, '\n')
      const filler = options.haystack === 'essay' ? essay(random, fillerWords) : refrainLines(fillerWords)
      const places = new Map<string, Span>()
      for (const piece of mix(draft, chains, filler)) {
        if (typeof piece === 'string') text.write(piece, '\n')
        else places.set(piece.name, text.write(piece.text, '\n'))
      }
      const { start } = text.write(says.question, '\n')
      text.write(says.reply)
      const answers = answerTexts.map((piece) => {
        const from = originOf(asked, options.ask === 'value' ? undefined : piece, places)
        return text.answer(piece, from)
      })
      text.write('.', '')
      return { start, match: 'all', answers }
    },
  }
}

interface Line {
  readonly name: string
  readonly text: string
}

const linesOf = ({ names, value }: Chain): Line[] =>
  names.map((name, i) => ({ name, text: `VAR ${name} = ${i === 0 ? value : `VAR ${names[i - 1]}`}` }))

/** Puts the lines at random places between those of the filler; the lines of a sorted chain keep their order. */
function mix(
  { options, random }: Draft<VariableTrackingOptions>,
  chains: readonly Chain[],
  filler: readonly string[],
): (string | Line)[] {
  const queues = chains.map(linesOf)
  const turns = random.shuffle([...filler, ...queues.flatMap((lines, chain) => lines.map(() => chain))])
  const shuffled = options.order === 'shuffled' ? queues.map((lines) => random.shuffle(lines)) : queues
  const unsaid = shuffled.map((lines) => [...lines])
  let nextFiller = 0
  return turns.map((turn) => (typeof turn === 'number' ? unsaid[turn]!.shift()! : filler[nextFiller++]!))
}

/** Which lines tell a variable (all up to its own) or the value of the last one (all), and where it was named last. */
function originOf(
  { names }: Chain,
  name: string | undefined,
  places: ReadonlyMap<string, Span>,
): Pick<Answer, 'spans' | 'lastSeen'> {
  const spans = names.map((each) => places.get(each)!)
  if (name === undefined) return { spans, lastSeen: spans[0]!.start + 3 }
  const place = names.indexOf(name)
  const next = spans[place + 1]
  const named = [spans[place]!.start + 1, ...(next ? [next.start + 4] : [])]
  return { spans: spans.slice(0, place + 1), lastSeen: Math.max(...named) }
}

function wording(
  { ask, hops }: VariableTrackingOptions,
  { value, names }: Chain,
): { question: string; reply: string } {
  if (ask === 'value') {
    const last = names.at(-1)!
    return { question: `What is the value of ${last}?`, reply: `The value of ${last} is` }
  }
  return {
    question: `Which variables have the value ${value}? Follow the chain from the first one.`,
    reply: `The ${hops + 1} variables with the value ${value} are`,
  }
}
