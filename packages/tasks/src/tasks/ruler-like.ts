import type { TaskFactory } from '../define-task.ts'
import { type NeedleOptions, needleTask } from './needle.ts'
import { type QuestionAnsweringOptions, questionAnsweringTask } from './question-answering.ts'
import { type VariableTrackingOptions, variableTrackingTask } from './variable-tracking.ts'

/** The shortest length of RULER. */
const length = { targetWords: 4096 }

const niah = (name: string, preset: Partial<NeedleOptions>): TaskFactory<NeedleOptions> =>
  needleTask(`ruler-like-niah-${name}`, { length, keys: 1, ...preset })

/** One number among five sentences that are repeated. */
export const niahSingle1: TaskFactory<NeedleOptions> = niah('single-1', { haystack: 'noise' })

/** One number in an essay. */
export const niahSingle2: TaskFactory<NeedleOptions> = niah('single-2', {})

/** One UUID in an essay. */
export const niahSingle3: TaskFactory<NeedleOptions> = niah('single-3', { valueKind: 'uuids' })

/** One of four numbers in an essay. */
export const niahMultikey1: TaskFactory<NeedleOptions> = niah('multikey-1', { keys: 4 })

/** One number among nothing but needles. */
export const niahMultikey2: TaskFactory<NeedleOptions> = niah('multikey-2', { haystack: 'needles' })

/** One UUID under a UUID among nothing but such needles. */
export const niahMultikey3: TaskFactory<NeedleOptions> = niah('multikey-3', {
  haystack: 'needles',
  keyKind: 'uuids',
  valueKind: 'uuids',
})

/** Four numbers under one key. */
export const niahMultivalue: TaskFactory<NeedleOptions> = niah('multivalue', { values: 4 })

/** Four numbers under four keys. */
export const niahMultiquery: TaskFactory<NeedleOptions> = niah('multiquery', { keys: 4, queries: 4 })

/** One chain of four hops among repeated sentences, after a solved example. */
export const rulerVt: TaskFactory<VariableTrackingOptions> = variableTrackingTask('ruler-like-vt', {
  length,
  chains: 1,
  hops: 4,
  ask: 'variables',
  oneShot: true,
})

/** A fact of one document among many. */
export const rulerQa1: TaskFactory<QuestionAnsweringOptions> = questionAnsweringTask('ruler-like-qa-1', {})

/** A fact that takes two documents among many. */
export const rulerQa2: TaskFactory<QuestionAnsweringOptions> = questionAnsweringTask('ruler-like-qa-2', {
  hops: 2,
})
