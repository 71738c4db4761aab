import type { ProtectedRange } from '@trimkv/tensor'
import { observedAttention } from './policies/h2o.ts'
import { shortness } from './policies/knorm.ts'
import { type PromptWindow, promptWindow } from './prompt-window.ts'
import { expectedAttention, keyDifference, lagDeviation, type Score, writtenScore } from './score.ts'
import { type Transform, timesValueNorm } from './transform.ts'

/** Names of the ratings that policies are built over. */
export const baseNames = ['snapkv', 'knorm', 'keydiff', 'h2o', 'lagkv', 'expected'] as const

/** What the names mean. */
export const baseDoc =
  'snapkv: by window, kernel and pool; knorm; keydiff; h2o: attention by the queries that could see the token; lagkv: by sinks and partition, partitions compete; expected: expected-attention'

/** Options of the ratings; those of snapkv are `promptWindowOptions`. */
export const baseOptions = {
  sinks: {
    type: 'int',
    default: 4,
    min: 0,
    doc: 'expected, lagkv: first tokens that always stay; for expected their queries do not count',
  },
  future: {
    type: 'int',
    default: 512,
    min: 1,
    doc: 'expected: positions ahead that the rotation is averaged over',
  },
  partition: { type: 'int', default: 128, min: 1, doc: 'lagkv: tokens of a stretch' },
} as const

/** The option of that name, where expected attention is multiplied by the length of the value. */
export const expectedEpsilon = {
  type: 'number',
  default: 0,
  min: 0,
  doc: 'expected: added to attention before it is multiplied by the length of the value',
} as const

/** A rating to build on. */
export interface BaseRating {
  readonly score: Score
  readonly transforms: readonly Transform[]
  /** Tokens that it keeps whatever else is done with it. */
  readonly protect: Partial<ProtectedRange>
}

/** What the ratings depend on. */
interface BaseSettings extends PromptWindow {
  readonly sinks: number
  readonly future: number
  readonly partition: number
  /** Multiply expected attention, with this number added, by the length of the value; left out: attention alone. */
  readonly epsilon?: number
  /** Count the queries of so many newest tokens; left out: those of a whole prompt. */
  readonly queries?: number | undefined
}

const ratings: Readonly<Record<(typeof baseNames)[number], (settings: BaseSettings) => BaseRating>> = {
  snapkv: (settings) => ({ ...promptWindow(settings), protect: { last: settings.window } }),
  knorm: () => ({ score: writtenScore('shortness', shortness), transforms: [], protect: {} }),
  keydiff: () => ({ score: keyDifference(), transforms: [], protect: {} }),
  h2o: () => ({ score: observedAttention(), transforms: [], protect: {} }),
  lagkv: ({ sinks, partition }) => ({
    score: lagDeviation({ sinks, partition, cross: true }),
    transforms: [],
    protect: { first: sinks },
  }),
  expected: ({ sinks, future, epsilon, queries }) => ({
    score: expectedAttention({ sinks, future, covariance: true, queries }),
    transforms: epsilon === undefined ? [] : [timesValueNorm({ epsilon })],
    protect: { first: sinks },
  }),
}

/** The rating of that name. */
export const baseRating = (base: (typeof baseNames)[number], settings: BaseSettings): BaseRating =>
  ratings[base](settings)
