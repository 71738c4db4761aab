import type { KvDType } from '@trimkv/cache'
import { type StudySetting, type StudyTask, studyTasks } from './study-texts.ts'

/** Tokens per row in training: 1 of the lengths of the study, the other is four times as long. */
export const trainingLength = 256

export type Heuristic = 'streaming' | 'h2o' | 'snapkv' | 'r-kv' | 'keydiff' | 'tova' | 'knorm' | 'random'
export const heuristics: readonly Heuristic[] = [
  'streaming',
  'h2o',
  'snapkv',
  'r-kv',
  'keydiff',
  'tova',
  'knorm',
  'random',
]

/** `trimkv-buffered` holds as many entries at its peak as the others, a quarter of them as a buffer. */
export type StudyPolicy = 'full' | Heuristic | 'trimkv' | 'trimkv-buffered'
export const studyPolicies: readonly StudyPolicy[] = ['full', ...heuristics, 'trimkv', 'trimkv-buffered']

const bounded = studyPolicies.filter((policy) => policy !== 'full')

export const budgetShares: readonly number[] = [1 / 16, 1 / 8, 1 / 4, 1 / 2]

/** One figure of the study: a policy on a task. */
export interface Cell {
  readonly setting: StudySetting
  /** Tokens of a text. */
  readonly length: number
  readonly task: StudyTask
  readonly policy: StudyPolicy
  /** Of the length; 1 for the full cache. */
  readonly share: number
  readonly questions: number
  /** Name of gates other than the model's own, for ablations. */
  readonly gates?: string
  /** Storage of keys and values; f32 when absent. */
  readonly kvDtype?: KvDType
}

export const cellKey = (cell: Cell): string => {
  const { setting, length, task, policy, share, questions, gates, kvDtype } = cell
  const special = [gates, kvDtype && `kv ${kvDtype}`].filter((part) => part !== undefined)
  return [setting, length, task, policy, share, questions, ...special].join(' ')
}

interface Grid {
  readonly settings: readonly StudySetting[]
  readonly lengths: readonly number[]
  readonly shares: readonly number[]
  readonly policies: readonly StudyPolicy[]
}

function grid({ settings, lengths, shares, policies }: Grid, questions: number): Cell[] {
  return settings.flatMap((setting) =>
    lengths.flatMap((length) =>
      shares.flatMap((share) =>
        policies
          // Cut once after the prompt, a buffer has nothing to do.
          .filter((policy) => setting === 'stream' || policy !== 'trimkv-buffered')
          .filter((policy) => policy !== 'full' || share === shares[0])
          .flatMap((policy) =>
            studyTasks.map((task) => ({
              setting,
              length,
              task,
              policy,
              share: policy === 'full' ? 1 : share,
              questions,
            })),
          ),
      ),
    ),
  )
}

/** Formats of keys and values that are compared with f32, and where: texts of both lengths, an eighth of them kept. */
export const storedFormats: readonly KvDType[] = ['bf16', 'f16', 'f8']
export const storagePolicies: readonly StudyPolicy[] = ['full', 'trimkv']
export const storageShare: number = 1 / 8

function storageCells(questions: number): Cell[] {
  const lengths = [trainingLength, 4 * trainingLength]
  const cells = storagePolicies.flatMap((policy) =>
    grid({ policies: [policy], shares: [storageShare], settings: ['stream'], lengths }, questions),
  )
  return storedFormats.flatMap((kvDtype) => cells.map((cell) => ({ ...cell, kvDtype })))
}

/** Figures in the order of what they are worth: a run that is cut short has the main table first. */
export function studyCells(questions = 500): Cell[] {
  const all = { policies: studyPolicies, shares: budgetShares }
  const short = [trainingLength]
  const long = [4 * trainingLength]
  const [small, large] = [budgetShares.slice(0, 2), budgetShares.slice(2)]
  return [
    ...grid({ ...all, settings: ['stream'], lengths: short }, questions),
    ...grid({ ...all, settings: ['query-aware'], lengths: short }, questions),
    ...grid({ ...all, shares: small, settings: ['stream'], lengths: long }, questions),
    ...grid({ ...all, settings: ['query-aware'], lengths: long }, questions),
    // Last, because cuts after every token at large budgets take policies that compare keys with keys the longest.
    ...grid({ policies: bounded, shares: large, settings: ['stream'], lengths: long }, questions),
    ...storageCells(questions),
  ]
}

/** The policy as text, with windows that leave room at small budgets. */
export function policyText({ policy, setting }: Cell, budget: number): string {
  const window = Math.max(1, Math.min(8, Math.floor(budget / 4)))
  const options: string[] = setting === 'query-aware' && policy !== 'full' ? ['when=prefill'] : []
  if (policy === 'snapkv' || policy === 'r-kv') options.push(`window=${window}`)
  if (policy === 'streaming') options.push('sinks=4')
  const name = policy === 'trimkv-buffered' ? 'trimkv' : policy
  return options.length > 0 ? `${name}:${options.join(',')}` : name
}

/** Budget and buffer that hold `share` of the length, and one entry more at the peak. */
export function cellBudget({ policy, share, length }: Cell): { budget: number; buffer?: number } {
  const tokens = Math.round(share * length)
  if (policy !== 'trimkv-buffered') return { budget: tokens }
  const buffer = Math.max(1, tokens / 4)
  return { budget: tokens - buffer + 1, buffer }
}
