import { answerWords, rememberedWords, tasks } from '@trimkv/tasks'
import { TrimError } from '@trimkv/tensor'

/** A text of facts, noise and questions; all numbers are indices of words. */
export interface RecallText {
  /** Words and punctuation, to be joined by single spaces. */
  readonly words: readonly string[]
  /** The first word of the first question: all facts have passed. */
  readonly firstQuestion: number
  /** The words that answer: each can only be known from its fact. */
  readonly answers: readonly number[]
  /** The words of the facts that are asked for. */
  readonly facts: readonly number[]
}

export interface RecallTextOptions {
  readonly seed: number
  readonly facts: number
  readonly questions: number
  /** Words of the text at most. */
  readonly words: number
}

/**
 * A fresh text of the kind that the bundled model was trained on: facts among noise, then all questions.
 * @throws TRIMKV_OPTION when the words do not suffice
 */
export function recallText({ seed, facts, questions, words }: RecallTextOptions): RecallText {
  try {
    const task = tasks.recall({ setting: 'stream', facts, questions, length: { targetWords: words } })
    const sample = task.sample(seed)
    return {
      words: sample.words,
      firstQuestion: sample.questions[0]!.start,
      answers: answerWords(sample),
      facts: rememberedWords(sample),
    }
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    const [what = cause.message, ...why] = cause.message.split('\n')
    throw new TrimError('TRIMKV_OPTION', { what, why, cause })
  }
}
