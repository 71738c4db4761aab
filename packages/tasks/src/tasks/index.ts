import { chain } from './chain.ts'
import { code } from './code.ts'
import { commonWords } from './common-words.ts'
import { frequentWords } from './frequent-words.ts'
import { needle } from './needle.ts'
import { recall } from './recall.ts'
import {
  niahMultikey1,
  niahMultikey2,
  niahMultikey3,
  niahMultiquery,
  niahMultivalue,
  niahSingle1,
  niahSingle2,
  niahSingle3,
  rulerQa1,
  rulerQa2,
  rulerVt,
} from './ruler-like.ts'
import { variableTracking } from './variable-tracking.ts'

/**
 * Every task, by name. Adding one: its file, its lines here, its step in `curriculum.ts`, its solver in `test/solvers.ts`.
 * `ruler-like` tasks are defined as RULER defines them, with words, fillers and wording of our own: their scores are not RULER's.
 */
export type TaskTable = {
  readonly recall: typeof recall
  readonly chain: typeof chain
  readonly code: typeof code
  readonly needle: typeof needle
  readonly 'variable-tracking': typeof variableTracking
  readonly 'ruler-like-niah-single-1': typeof niahSingle1
  readonly 'ruler-like-niah-single-2': typeof niahSingle2
  readonly 'ruler-like-niah-single-3': typeof niahSingle3
  readonly 'ruler-like-niah-multikey-1': typeof niahMultikey1
  readonly 'ruler-like-niah-multikey-2': typeof niahMultikey2
  readonly 'ruler-like-niah-multikey-3': typeof niahMultikey3
  readonly 'ruler-like-niah-multivalue': typeof niahMultivalue
  readonly 'ruler-like-niah-multiquery': typeof niahMultiquery
  readonly 'ruler-like-vt': typeof rulerVt
  readonly 'ruler-like-cwe': typeof commonWords
  readonly 'ruler-like-fwe': typeof frequentWords
  readonly 'ruler-like-qa-1': typeof rulerQa1
  readonly 'ruler-like-qa-2': typeof rulerQa2
}

/** The name of a task. */
export type TaskName = keyof TaskTable

/** Every task, by name. */
export const tasks: TaskTable = {
  recall,
  chain,
  code,
  needle,
  'variable-tracking': variableTracking,
  'ruler-like-niah-single-1': niahSingle1,
  'ruler-like-niah-single-2': niahSingle2,
  'ruler-like-niah-single-3': niahSingle3,
  'ruler-like-niah-multikey-1': niahMultikey1,
  'ruler-like-niah-multikey-2': niahMultikey2,
  'ruler-like-niah-multikey-3': niahMultikey3,
  'ruler-like-niah-multivalue': niahMultivalue,
  'ruler-like-niah-multiquery': niahMultiquery,
  'ruler-like-vt': rulerVt,
  'ruler-like-cwe': commonWords,
  'ruler-like-fwe': frequentWords,
  'ruler-like-qa-1': rulerQa1,
  'ruler-like-qa-2': rulerQa2,
}
