import { type Draft, defineTask, roomFor, type TaskFactory, type TaskOptions } from '../define-task.ts'
import { requireCount, requireOneOf } from '../option-error.ts'
import type { Span } from '../sample.ts'
import { type SmallNoise, smallNoise, smallNoises } from '../text/small-world.ts'

/** Sequences of numbers to repeat. The question is always the same, so it cannot be known earlier than it is. */
export interface CodeOptions extends TaskOptions {
  /** `stream` unless given: all codes pass, then the latest is repeated. `interleaved`: each may be, until the next. */
  readonly setting: 'stream' | 'interleaved'
  /** How many codes there are; 2 unless given. All but the latest are distractors. */
  readonly facts: number
  /** How many times the latest code is asked for; 2 unless given. */
  readonly questions: number
  /** Numbers per code; 6 unless given. */
  readonly codeWords: number
  /** `mentioning` unless given: noise also names things and places. */
  readonly noise: SmallNoise
}

/** `code 4 8 21 1 9 7 .` among noise, then `repeat : 4 8 21 1 9 7 .`, which repeats the latest code. Numbers are 0 to 29. */
export const code: TaskFactory<CodeOptions> = defineTask<CodeOptions>({
  name: 'code',
  version: 1,
  source: 'this project; what the reference model is trained on',
  defaults: {
    length: { targetWords: 256 },
    setting: 'stream',
    facts: 2,
    questions: 2,
    codeWords: 6,
    noise: 'mentioning',
  },
  check: ({ setting, facts, questions, codeWords, noise }) => {
    requireOneOf('setting', setting, ['stream', 'interleaved'])
    requireOneOf('noise', noise, smallNoises)
    requireCount('facts', facts, { least: 1 })
    requireCount('questions', questions, { least: 1 })
    requireCount('codeWords', codeWords, { least: 1 })
  },
  write: (draft) => {
    const { options, random, text, words } = draft
    const { facts, questions, codeWords } = options
    const needed = facts * (codeWords + 2) + questions * (codeWords + 3)
    const noise = smallNoise(random, options.noise, roomFor(words, needed))
    const rest = [...noise, ...kinds('code', facts - 1)]
    const order =
      options.setting === 'stream'
        ? [...random.shuffle(rest), ...kinds('repeat', questions)]
        : random.shuffle([...rest, ...kinds('repeat', questions)])
    const { state, repeat } = sentences(draft)
    state()
    for (const item of order) {
      if (item === 'code') state()
      else if (item === 'repeat') repeat()
      else text.write(item)
    }
  },
})

const kinds = (kind: 'code' | 'repeat', count: number): string[] => Array.from({ length: count }, () => kind)

function sentences({ options, random, text }: Draft<CodeOptions>): { state(): void; repeat(): void } {
  let latest = ''
  let span: Span = { start: 0, end: 0 }
  let lastSeen = 0
  return {
    state: () => {
      latest = Array.from({ length: options.codeWords }, () => random.int(30)).join(' ')
      const { start, end } = text.write(`code ${latest} .`)
      span = { start: start + 1, end: end - 1 }
      lastSeen = span.start
    },
    repeat: () => {
      const { start } = text.write('repeat :')
      const answer = text.answer(latest, { spans: [span], lastSeen })
      text.write('.')
      lastSeen = answer.start
      text.ask({ start, match: 'words', answers: [answer] })
    },
  }
}
