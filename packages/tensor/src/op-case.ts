import type { DType } from './dtype.ts'

/** Seeded source of test numbers. */
export interface CaseRandom {
  /** Uniform in [0, 1). */
  next(): number
  /** Integer in [low, high], both included. */
  int(low: number, high: number): number
  /** Standard normal. */
  normal(): number
}

/** One input of a case: random normal values unless `fill` says otherwise. */
export interface CaseInput {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Value of element `index` (row-major). */
  readonly fill?: (index: number, random: CaseRandom) => number
  /** Leading axes whose strides are free: the contract also passes them padded. `true` is 1, the default 0. */
  readonly strided?: boolean | number
}

/** One call of an op, checked against its reference on every device. */
export interface OpCase<A> {
  readonly name: string
  readonly inputs: Readonly<Record<string, CaseInput>>
  readonly attrs: A
  /** Bound on ‖a−b‖/‖b‖; default 1e-5. Loosen only with a comment. */
  readonly tolerance?: number
}

/** The cases of an op: fixed ones, a generator biased to edges, and sizes to time. */
export interface OpCases<A> {
  readonly cases: readonly OpCase<A>[]
  readonly fuzz: (random: CaseRandom) => OpCase<A>
  readonly bench?: readonly OpCase<A>[]
}
