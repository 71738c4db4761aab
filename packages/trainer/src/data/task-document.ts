import type { Tokenizer } from '@trimkv/io'
import { answerWords, type Random, type Sample, type Task, type TaskOptions, tasks } from '@trimkv/tasks'
import { fail } from '@trimkv/tensor'
import type { Document } from './document.ts'
import type { CopyEntry, Drawn, TaskEntry, TaskStage } from './task-stage.ts'

/** What makes documents of entries. */
export interface TaskMaker {
  readonly tokenizer: Tokenizer
  /** Ids that a random sequence consists of. */
  readonly alphabet: readonly number[]
  readonly stage: TaskStage
}

/** Which text of an entry. */
export interface Draw {
  readonly random: Random
  readonly seed: number
  readonly index: number
}

/**
 * A generated text as tokens: the begin token first, where the tokenizer has one. Every token is a target, with the weight of
 * an answer where it touches a word that is one.
 * @throws TrimError `TRIMKV_OPTION` when the options of the task do not fit its length, or the text is longer than a row
 */
export function taskDocument(entry: TaskEntry, draw: Draw, { tokenizer, stage }: TaskMaker): Document {
  const options = Object.entries(entry.options ?? {}).map(([name, rule]) => [name, drawn(rule, draw.random)])
  const countTokens = (text: string): number => encodeText(tokenizer, text).length
  const length =
    entry.words === undefined
      ? { targetTokens: stage.length - begin(tokenizer).length, countTokens }
      : { targetWords: drawn<number>(entry.words, draw.random) }
  const make = tasks[entry.task] as (options: Partial<TaskOptions>) => Task
  const sample = optionsChecked(entry.task, () =>
    make({ ...Object.fromEntries(options), length }).sample(draw.seed, draw.index),
  )
  const ids = encodeText(tokenizer, sample.text)
  const answers = answerTokens(sample, ids, tokenizer)
  const prefix = begin(tokenizer)
  return weighted([...prefix, ...ids], {
    isAnswer: (i) => answers.has(i - prefix.length),
    stage,
    task: entry.task,
  })
}

/** A random sequence and its repetitions, whose tokens are the answers. */
export function copyDocument(entry: CopyEntry, { random }: Draw, maker: TaskMaker): Document {
  const { tokenizer, stage } = maker
  const alphabet =
    entry.alphabet === undefined ? maker.alphabet : [...new Set(encodeText(tokenizer, entry.alphabet))]
  const prefix = begin(tokenizer)
  const repeats = drawn<number>(entry.repeats ?? 2, random)
  const room = Math.floor((stage.length - prefix.length) / repeats)
  const tokens = entry.tokens === undefined ? room : drawn<number>(entry.tokens, random)
  const sequence = Array.from({ length: tokens }, () => random.pick(alphabet))
  const ids = [...prefix, ...Array.from({ length: repeats }, () => sequence).flat()]
  return weighted(ids, { isAnswer: (i) => i >= prefix.length + tokens, stage, task: entry.task })
}

/** Draws from a rule; an integer range includes both ends. */
function drawn<T>(rule: Drawn<T>, random: Random): T {
  if (typeof rule !== 'object' || rule === null) return rule as T
  if ('oneOf' in rule) return random.pick(rule.oneOf)
  if ('from' in rule) return (rule.from + random.int(rule.to - rule.from + 1)) as T
  return rule as T
}

const begin = ({ bosTokenId }: Tokenizer): number[] => (bosTokenId === undefined ? [] : [bosTokenId])

const encodeText = (tokenizer: Tokenizer, text: string): number[] =>
  tokenizer.encode(text, { addSpecialTokens: false })

interface Weighing {
  readonly isAnswer: (index: number) => boolean
  readonly stage: TaskStage
  readonly task: string
}

function weighted(ids: readonly number[], { isAnswer, stage, task }: Weighing): Document {
  const { length, answerWeight = 1, otherWeight = 1 } = stage
  if (ids.length > length) {
    fail('TRIMKV_OPTION', `a text of ${task} has ${ids.length} tokens and a row only ${length}`, {
      hint: 'raise length, or ask for fewer words or tokens',
      details: { task, tokens: ids.length, length },
    })
  }
  return {
    ids: Int32Array.from(ids),
    labels: Int32Array.from(ids),
    weights: Float32Array.from(ids, (_, i) => (isAnswer(i) ? answerWeight : otherWeight)),
  }
}

/** Indices of the tokens that touch an answer's characters. */
function answerTokens(sample: Sample, ids: readonly number[], tokenizer: Tokenizer): Set<number> {
  const { text, words, offsets, task } = sample
  const pieces = tokenizer.pieces(ids)
  // Tokenizers that put a space before a text give it back with the text.
  const shift = pieces.join('').indexOf(text)
  if (shift < 0) {
    fail('TRIMKV_UNSUPPORTED', `the tokenizer does not give back a text of ${task}`, {
      hint: 'use a tokenizer that decodes to the text it encoded',
    })
  }
  const isAnswer = new Uint8Array(text.length)
  for (const word of answerWords(sample)) {
    isAnswer.fill(1, offsets[word]!, offsets[word]! + words[word]!.length)
  }
  const touching = new Set<number>()
  let at = -shift
  pieces.forEach((piece, token) => {
    if (isAnswer.subarray(Math.max(at, 0), Math.max(at + piece.length, 0)).includes(1)) touching.add(token)
    at += piece.length
  })
  return touching
}

/** Errors of tasks are built-in ones with a code, because that package imports nothing. */
function optionsChecked<T>(task: string, make: () => T): T {
  try {
    return make()
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    return fail('TRIMKV_OPTION', `a text of ${task} cannot be made: ${cause.message}`, {
      details: { task },
      cause,
    })
  }
}
