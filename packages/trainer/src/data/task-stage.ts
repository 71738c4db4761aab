import type { TaskName, TaskTable } from '@trimkv/tasks'

/** A value, or a rule that gives one for each text. */
export type Drawn<T> =
  | T
  | { readonly oneOf: readonly T[] }
  | (T extends number ? { readonly from: number; readonly to: number } : never)

/** The smallest number that a rule can give. */
export function smallest(rule: Drawn<number>): number {
  if (typeof rule === 'number') return rule
  return 'oneOf' in rule ? Math.min(...rule.oneOf) : rule.from
}

type DrawnOptions<O> = { readonly [K in keyof O]?: Drawn<O[K]> }

type OptionsOf<N extends TaskName> = Omit<NonNullable<Parameters<TaskTable[N]>[0]>, 'length'>

/** Texts of a task of `@trimkv/tasks`. */
export type TaskEntry = {
  readonly [N in TaskName]: {
    readonly task: N
    /** Of the task; a count may be a range, of which every text draws its own. */
    readonly options?: DrawnOptions<OptionsOf<N>>
    /** Words of a text; unless given, as many as fill a row. */
    readonly words?: Drawn<number>
    /** How often it is drawn, relative to the other entries. */
    readonly share: number
  }
}[TaskName]

/** A random sequence of tokens, said again: what a model must learn to look up before any fact. */
export interface CopyEntry {
  readonly task: 'copy'
  /** How often the sequence is said; 2 unless given. */
  readonly repeats?: Drawn<number>
  /** Tokens of the sequence; unless given, as many as fill a row. */
  readonly tokens?: Drawn<number>
  /** Text whose tokens the sequence is drawn from; unless given, all ordinary tokens. A few are learnt sooner than many. */
  readonly alphabet?: string
  readonly share: number
}

/** What is trained on for some batches. */
export interface TaskStage {
  /** How many; the last stage goes on for ever, and needs none. */
  readonly batches?: number
  readonly rows: number
  /** Tokens of a row. */
  readonly length: number
  readonly mixture: readonly (TaskEntry | CopyEntry)[]
  /** Loss weight of the tokens of answers, which only earlier text determines; 1 unless given. */
  readonly answerWeight?: number
  /** Loss weight of all other tokens; 1 unless given. */
  readonly otherWeight?: number
}
