import { type Sample, type TaskName, tasks } from '@trimkv/tasks'

/** What the reference model was trained for, in the order the tables have. */
export type StudyTask = Extract<TaskName, 'recall' | 'chain' | 'code'>
export const studyTasks: readonly StudyTask[] = ['recall', 'chain', 'code']

/**
 * `stream`: facts pass by before anything asks for them, and the cache is cut all the while.
 * `query-aware`: the whole text is read, and what will be asked for; then the cache is cut once, and the question follows.
 */
export type StudySetting = 'stream' | 'query-aware'

/** A text as ids, and the places whose id only earlier text determines. */
export interface StudyText {
  /** What it was made from: in a stream, word i is token i + 1, after the begin token. */
  readonly sample: Sample
  /** Tokens that are read before the one cut; nothing in a stream. */
  readonly cut?: number
  readonly ids: readonly number[]
  /** One list per question: indices into `ids`, ascending. */
  readonly questions: readonly (readonly number[])[]
  /** For each question, how many tokens back its answer was last seen. */
  readonly distances: readonly number[]
}

interface Encoder {
  encode(text: string): readonly number[]
}

export interface TextRequest {
  readonly task: StudyTask
  readonly setting: StudySetting
  /** Tokens of a text at most, the begin token included. */
  readonly length: number
  /** Texts are added until there are so many questions; 1 unless given. */
  readonly questions?: number
  /** Texts at least; 1 unless given. */
  readonly texts?: number
}

/** Seeds from here on are kept apart from training and validation. */
const studySeed = 7_000_000

/** Facts per text grow with its length, so that a budget of a share of the length is as tight at every length. */
function sampleOf({ task, setting, length }: TextRequest, index: number): Sample {
  const scale = length / 256
  const once = setting === 'query-aware'
  const base = { length: { targetWords: length - lead - (once ? queryAware[task].added : 0) } }
  switch (task) {
    case 'recall': {
      const facts = Math.min(20, Math.round(6 * scale))
      return tasks.recall({ ...base, facts, questions: once ? 1 : facts }).sample(studySeed, index)
    }
    case 'chain': {
      const facts = Math.min(16, Math.round(4 * scale))
      return tasks.chain({ ...base, facts, steps: once ? 1 : facts }).sample(studySeed, index)
    }
    case 'code':
      return tasks
        .code({ ...base, facts: Math.max(2, Math.round(2 * scale)), questions: 1 })
        .sample(studySeed, index)
  }
}

/** Tokens before the first word. */
const lead = 1

function encoded(sample: Sample, tokenizer: Encoder): StudyText {
  const ids = tokenizer.encode(sample.text)
  if (ids.length !== sample.words.length + lead) {
    throw new Error(`a word of ${JSON.stringify(sample.text)} is not one token of the model`)
  }
  const questions = sample.questions.map(({ answers }) =>
    answers.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i + lead)),
  )
  const distances = sample.questions.map(({ answers }) =>
    Math.max(...answers.map(({ distance }) => distance)),
  )
  return { sample, ids, questions, distances }
}

/**
 * Says before the first question what it will ask for, `find key .`, and puts the cut between the two. Were the cut between
 * question and answer, the answer would come from before the cut.
 */
function announced({ sample, ids, questions, distances }: StudyText): StudyText {
  const start = sample.questions[0]!.start + lead
  const announcement = [...ids.slice(start, questions[0]![0]), ids.at(-1)!]
  const later = announcement.length
  return {
    sample,
    ids: [...ids.slice(0, start), ...announcement, ...ids.slice(start)],
    cut: start + later,
    questions: questions.map((places) => places.map((place) => place + later)),
    distances: distances.map((distance, i) =>
      questions[i]![0]! - distance < start ? distance + later : distance,
    ),
  }
}

/**
 * Puts the cut between question and answer, `repeat :` and its numbers. The first number comes from before the cut, so it is
 * not asked for.
 */
const cutBeforeAnswer = ({ questions, ...text }: StudyText): StudyText => ({
  ...text,
  cut: questions[0]![0]!,
  questions: questions.map(([, ...places]) => places),
})

/**
 * Texts of one cell of the study; the same for every policy and budget. With `query-aware`, all are cut at one place, so
 * that they can be read side by side.
 */
export function studyTexts(request: TextRequest, tokenizer: Encoder): StudyText[] {
  const { setting, length, task, questions: wanted = 1, texts: least = 1 } = request
  const aware = queryAware[task]
  const texts: StudyText[] = []
  let questions = 0
  for (let index = 0; questions < wanted || texts.length < least; index++) {
    const plain = encoded(sampleOf(request, index), tokenizer)
    const text = setting === 'stream' ? plain : aware.cutText(plain)
    if (setting === 'query-aware' && text.cut !== length - aware.tokensAfter) continue
    texts.push(text)
    questions += text.questions.length
  }
  return texts
}

interface QueryAware {
  readonly cutText: (text: StudyText) => StudyText
  /** Tokens it adds to the text. */
  readonly added: number
  /** Tokens after the cut: `find key barn .`, `take va 12 plus 3 gives vb 15 .`, `4 8 21 1 9 7 .` */
  readonly tokensAfter: number
}

/** Of a code it is known from the start what will be asked for: it is always the same. */
const queryAware: Readonly<Record<StudyTask, QueryAware>> = {
  recall: { cutText: announced, added: 3, tokensAfter: 4 },
  chain: { cutText: announced, added: 3, tokensAfter: 9 },
  code: { cutText: cutBeforeAnswer, added: 0, tokensAfter: 7 },
}
