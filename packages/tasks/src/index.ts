export { type CurriculumStep, curriculum } from './curriculum.ts'
export type { Task, TaskFactory, TaskOptions } from './define-task.ts'
export { createRandom, type Random } from './random.ts'
export {
  type Answer,
  answerWords,
  goldReply,
  promptOf,
  type Question,
  rememberedWords,
  type Sample,
  type Span,
} from './sample.ts'
export { scoreAnswer } from './score-answer.ts'
export type { Setting } from './setting.ts'
export type { TargetLength } from './target-length.ts'
export type { ChainOptions } from './tasks/chain.ts'
export type { CodeOptions } from './tasks/code.ts'
export type { CommonWordsOptions } from './tasks/common-words.ts'
export type { FrequentWordsOptions } from './tasks/frequent-words.ts'
export { type TaskName, type TaskTable, tasks } from './tasks/index.ts'
export type { NeedleOptions } from './tasks/needle.ts'
export type { QuestionAnsweringOptions } from './tasks/question-answering.ts'
export type { RecallOptions } from './tasks/recall.ts'
export type { VariableTrackingOptions } from './tasks/variable-tracking.ts'
export type { SmallNoise } from './text/small-world.ts'
export { countWords, splitWords } from './text/words.ts'
