import type { Task } from './define-task.ts'
import { failOption, requireCount } from './option-error.ts'
import type { Setting } from './setting.ts'
import type { TargetLength } from './target-length.ts'
import { type TaskName, tasks } from './tasks/index.ts'

/** How hard a task is to be. */
export interface CurriculumStep {
  /** 0 (easiest) … 1 (hardest). */
  readonly difficulty: number
  /** `stream` unless given. Code knows no `question-first`, and only recall, chain, code and needle are `interleaved`. */
  readonly setting?: Setting
  /** Length at difficulty 0; 64 unless given, and at least that. */
  readonly minWords?: number
  /** Length at difficulty 1; 1024 unless given, and at least that. */
  readonly maxWords?: number
}

interface Step {
  readonly setting: Setting
  readonly length: TargetLength
  /** From `low` at difficulty 0 to `high` at 1, rounded. */
  readonly count: (low: number, high: number) => number
  /** Whether the difficulty has come to a point. */
  readonly past: (difficulty: number) => boolean
}

/**
 * A task at a difficulty, so that a trainer can grow it in small steps. Length grows by the same factor everywhere:
 * `minWords · (maxWords / minWords)^difficulty`. Counts grow evenly; the table of the README has them all. At 1 the
 * `ruler-like` tasks are as defined, except for their length.
 * @throws RangeError for a difficulty outside [0, 1], lengths out of range, or a setting the task does not have
 */
export function curriculum(name: TaskName, step: CurriculumStep): Task {
  const { difficulty, setting = 'stream', minWords = 64, maxWords = 1024 } = step
  if (!(difficulty >= 0 && difficulty <= 1)) {
    failOption(`difficulty must be in 0…1; got ${difficulty}`, 'change difficulty')
  }
  requireCount('minWords', minWords, { least: 64 })
  requireCount('maxWords', maxWords, { least: Math.max(1024, minWords) })
  const targetWords = Math.round(minWords * (maxWords / minWords) ** difficulty)
  return steps[name]({
    setting,
    length: { targetWords },
    count: (low, high) => Math.round(low + (high - low) * difficulty),
    past: (point) => difficulty >= point,
  })
}

const steps: { readonly [Name in TaskName]: (step: Step) => Task } = {
  recall: ({ count, past, ...base }) => {
    const facts = count(2, 20)
    return tasks.recall({ ...base, facts, questions: facts, noise: past(0.25) ? 'mentioning' : 'plain' })
  },
  chain: ({ count, past, ...base }) =>
    tasks.chain({
      ...base,
      facts: count(1, 10),
      steps: count(2, 20),
      hops: count(1, 6),
      noise: past(0.25) ? 'mentioning' : 'plain',
    }),
  code: ({ count, past, setting, length }) =>
    tasks.code({
      setting: without('question-first', setting),
      length,
      facts: count(1, 8),
      questions: count(1, 4),
      noise: past(0.25) ? 'mentioning' : 'plain',
    }),
  needle: ({ count, past, ...base }) =>
    tasks.needle({
      ...base,
      keys: count(1, 8),
      queries: count(1, 4),
      haystack: past(0.25) ? 'essay' : 'noise',
    }),
  'variable-tracking': ({ count, past, setting, length }) =>
    tasks['variable-tracking']({
      setting: without('interleaved', setting),
      length,
      chains: count(1, 4),
      hops: count(1, 6),
      order: past(0.75) ? 'shuffled' : 'sorted',
      haystack: past(0.25) ? 'essay' : 'noise',
    }),
  'ruler-like-niah-single-1': ({ setting, length }) => tasks['ruler-like-niah-single-1']({ setting, length }),
  'ruler-like-niah-single-2': ({ setting, length }) => tasks['ruler-like-niah-single-2']({ setting, length }),
  'ruler-like-niah-single-3': ({ setting, length }) => tasks['ruler-like-niah-single-3']({ setting, length }),
  'ruler-like-niah-multikey-1': ({ count, setting, length }) =>
    tasks['ruler-like-niah-multikey-1']({ setting, length, keys: count(1, 4) }),
  'ruler-like-niah-multikey-2': ({ setting, length }) =>
    tasks['ruler-like-niah-multikey-2']({ setting, length }),
  'ruler-like-niah-multikey-3': ({ setting, length }) =>
    tasks['ruler-like-niah-multikey-3']({ setting, length }),
  'ruler-like-niah-multivalue': ({ count, setting, length }) =>
    tasks['ruler-like-niah-multivalue']({ setting, length, values: count(1, 4) }),
  'ruler-like-niah-multiquery': ({ count, setting, length }) =>
    tasks['ruler-like-niah-multiquery']({ setting, length, keys: count(1, 4), queries: count(1, 4) }),
  'ruler-like-vt': ({ count, past, setting, length }) =>
    tasks['ruler-like-vt']({
      setting: without('interleaved', setting),
      length,
      hops: count(1, 4),
      oneShot: past(1),
    }),
  'ruler-like-cwe': ({ count, past, setting, length }) =>
    tasks['ruler-like-cwe']({
      setting: without('interleaved', setting),
      length,
      commonWords: count(1, 10),
      repeats: past(1) ? 'by-length' : { common: count(3, 6), rare: 1 },
      oneShot: past(1),
    }),
  'ruler-like-fwe': ({ count, setting, length }) =>
    tasks['ruler-like-fwe']({
      setting: without('interleaved', setting),
      length,
      frequentWords: count(1, 3),
    }),
  'ruler-like-qa-1': ({ setting, length }) =>
    tasks['ruler-like-qa-1']({ setting: without('interleaved', setting), length }),
  'ruler-like-qa-2': ({ count, setting, length }) =>
    tasks['ruler-like-qa-2']({ setting: without('interleaved', setting), length, hops: count(1, 2) }),
}

function without<S extends Setting>(missing: S, setting: Setting): Exclude<Setting, S> {
  if (setting !== missing) return setting as Exclude<Setting, S>
  return failOption(`this task has no setting ${missing}`, 'choose another setting')
}
