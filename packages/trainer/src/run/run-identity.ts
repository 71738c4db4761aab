import { fail } from '@trimkv/tensor'
import type { JsonValue } from '../json-value.ts'
import type { BestRule, TrainSettings } from './train-options.ts'

/** What decides the numbers of a run: with another one, a checkpoint is not of this run. */
export interface RunIdentity {
  /** What is trained on what: model, data, loss. */
  readonly recipe: JsonValue
  readonly options: TrainSettings
  readonly validation: { readonly every: number; readonly batches: number; readonly best: BestRule } | null
}

/**
 * @param found what the folder's checkpoint was made with
 * @throws TrimError `TRIMKV_RESUME` naming everything in which the two differ
 */
export function checkIdentity(found: JsonValue, identity: RunIdentity, file: string): void {
  const now: JsonValue = JSON.parse(JSON.stringify(identity))
  const differences = differencesOf(found, now, '')
  if (differences.length > 0) otherRun(file, differences)
}

/** @throws always: TrimError `TRIMKV_RESUME` */
export const otherRun = (file: string, differences: readonly string[]): never =>
  fail('TRIMKV_RESUME', `${file} is of another training run`, {
    why: differences,
    hint: 'start with what the run was started with, or train in another folder',
    details: { file, differences },
  })

/** One line for every leaf in which two values differ. */
function differencesOf(before: JsonValue | undefined, now: JsonValue | undefined, path: string): string[] {
  if (isTree(before) && isTree(now)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(now)])
    return [...keys].flatMap((key) => differencesOf(before[key], now[key], path ? `${path}.${key}` : key))
  }
  const [was, is] = [textOf(before), textOf(now)]
  return was === is ? [] : [`${path}: ${was} there, ${is} now`]
}

const textOf = (value: JsonValue | undefined): string =>
  value === undefined ? 'nothing' : JSON.stringify(value)

const isTree = (value: JsonValue | undefined): value is { readonly [key: string]: JsonValue } =>
  typeof value === 'object' && value !== null
