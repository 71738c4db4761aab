/** A range of words: [start, end), indices into the words of a sample. */
export interface Span {
  readonly start: number
  readonly end: number
}

/** Words that only earlier text determines. */
export interface Answer extends Span {
  readonly text: string
  /** The earlier words that must be remembered for it: where the fact was stated, one span per statement it needs. */
  readonly spans: readonly Span[]
  /** First word of the latest earlier statement of the same thing: the fact, or an earlier answer that repeats it. */
  readonly lastSeen: number
  /** `start - lastSeen`, in words. */
  readonly distance: number
}

/** A place of the text where something is asked; everything before its first answer is the prompt. */
export interface Question {
  /** Index of the first word of the question. */
  readonly start: number
  /**
   * How {@link scoreAnswer} compares. `all`: the share of answers that occur in the reply; `any`: whether one of them does
   * (both as in RULER, regardless of case); `words`: the share of answer words that stand at their place in the reply.
   */
  readonly match: 'all' | 'any' | 'words'
  readonly answers: readonly Answer[]
}

/** A generated text that contains its questions and their right answers. */
export interface Sample {
  readonly task: string
  readonly version: number
  readonly seed: number
  readonly index: number
  readonly text: string
  /** A word is a run of letters, digits, `_` and `-`, an ellipsis, or one other mark. */
  readonly words: readonly string[]
  /** Where each word starts in `text`, in UTF-16 units. */
  readonly offsets: readonly number[]
  /** In the order of the text, at least one. */
  readonly questions: readonly Question[]
}

/** The text to give a model that shall answer a question: all before its first answer, without trailing space. */
export function promptOf(sample: Sample, question: Question): string {
  const [first] = question.answers
  return sample.text.slice(0, sample.offsets[first!.start]).trimEnd()
}

/** The right reply to {@link promptOf}: from the first answer to the end of the last one. */
export function goldReply(sample: Sample, question: Question): string {
  const first = question.answers[0]!
  const last = question.answers.at(-1)!.end - 1
  return sample.text.slice(sample.offsets[first.start], sample.offsets[last]! + sample.words[last]!.length)
}

/** The indices of all words that are answers, ascending. */
export function answerWords(sample: Sample): number[] {
  return indicesOf(sample.questions.flatMap(({ answers }) => answers))
}

/** The indices of all words that must be remembered for some answer, ascending. */
export function rememberedWords(sample: Sample): number[] {
  return indicesOf(sample.questions.flatMap(({ answers }) => answers.flatMap(({ spans }) => spans)))
}

function indicesOf(spans: readonly Span[]): number[] {
  const indices = new Set<number>()
  for (const { start, end } of spans) for (let i = start; i < end; i++) indices.add(i)
  return [...indices].sort((a, b) => a - b)
}
