import type { GradientTable } from '@trimkv/tensor'
import type { SeededRandom } from '@trimkv/testing'

export interface CaseInput {
  readonly shape: readonly number[]
  /** Default f32. Others are not differentiated by. */
  readonly dtype?: 'f32' | 'bf16' | 'i32'
  /** Default: standard normal. */
  readonly fill?: (random: SeededRandom, index: number) => number
  /** Length of a direction along this input. Default 1. */
  readonly scale?: number
}

export interface GradientCase {
  readonly inputs: Readonly<Record<string, CaseInput>>
  readonly attrs?: unknown
}

/** How the gradient of an op is checked. */
export interface GradientCheck {
  /** Inputs it can be differentiated by. */
  readonly by: readonly string[]
  /** Inputs that count as constants. */
  readonly constant?: readonly string[]
  /** Outputs that can be differentiated; default all. */
  readonly of?: readonly string[]
  /** Small enough for differences in f64. */
  readonly cases: readonly GradientCase[]
  /** For native kernels: over several blocks and threads. */
  readonly large: readonly GradientCase[]
}

const f32 = (...shape: number[]): CaseInput => ({ shape })
const bf16 = (...shape: number[]): CaseInput => ({ shape, dtype: 'bf16' })
const ids = (count: number, rows: number): CaseInput => ({
  shape: [count],
  dtype: 'i32',
  fill: (random) => random.int(0, rows - 1),
})

/** Two documents per row: the second begins in the middle. */
const starts = (batch: number, length: number): CaseInput => ({
  shape: [batch, length],
  dtype: 'i32',
  fill: (_, index) => (index % length < length >> 1 ? 0 : length >> 1),
})

/** Log retention: below 0, and a direction that changes old keys by little. */
const logBeta = (batch: number, length: number, heads: number): CaseInput => ({
  shape: [batch, length, heads],
  fill: (random) => -0.01 - (2 * random.next()) / length,
  scale: 0.3 / length,
})

/** Occupancies away from a budget of 2, on one side of it for all heads of a token. */
const occupancies = (batch: number, length: number, heads: number): CaseInput => ({
  shape: [batch, length, heads],
  fill: (random, index) => 2 + (Math.floor(index / heads) % 5 < 2 ? -1 : 1) * (0.3 + 1.4 * random.next()),
})

const attention = (batch: number, length: number, size: number): Record<'q' | 'k' | 'v', CaseInput> => ({
  q: f32(batch, length, 4, size),
  k: f32(batch, length, 2, size),
  v: f32(batch, length, 2, size),
})

const targets = (rows: number, vocab: number): CaseInput => ({
  shape: [rows],
  dtype: 'i32',
  fill: (random, index) => (index % 4 === 2 ? -100 : random.int(0, vocab - 1)),
})

const budgets = (['head', 'global'] as const).flatMap((scope) =>
  (['code', 'paper'] as const).map((form) => ({ budget: 2, scope, form })),
)

/** One check per gradient: the compiler asks for those that are missing. */
export const gradientCases: { readonly [op in keyof GradientTable]: GradientCheck } = {
  embed: {
    by: ['table'],
    constant: ['ids'],
    cases: [{ inputs: { table: f32(4, 3), ids: ids(6, 4) } }],
    large: [{ inputs: { table: f32(300, 129), ids: ids(700, 300) } }],
  },
  linear: {
    by: ['x', 'weight', 'bias', 'residual'],
    cases: [
      { inputs: { x: f32(3, 4), weight: f32(5, 4), bias: f32(5), residual: f32(3, 5) } },
      { inputs: { x: f32(1, 3), weight: f32(2, 3) } },
      { inputs: { x: f32(2, 3), weight: bf16(4, 3), bias: bf16(4) } },
    ],
    large: [
      { inputs: { x: f32(530, 257), weight: f32(301, 257), bias: f32(301), residual: f32(530, 301) } },
      { inputs: { x: f32(65, 1030), weight: bf16(77, 1030) } },
    ],
  },
  silu: {
    by: ['x'],
    cases: [{ inputs: { x: f32(3, 4) } }],
    large: [{ inputs: { x: f32(130, 515) } }],
  },
  swiglu: {
    by: ['gate', 'up'],
    cases: [{ inputs: { gate: f32(3, 4), up: f32(3, 4) } }],
    large: [{ inputs: { gate: f32(130, 515), up: f32(130, 515) } }],
  },
  logSigmoid: {
    by: ['x', 'bias'],
    cases: [
      { inputs: { x: f32(3, 4), bias: f32(4) } },
      { inputs: { x: { shape: [2, 2], fill: (_, index) => [-30, 30, -3, 3][index] as number } } },
    ],
    large: [{ inputs: { x: f32(1030, 9), bias: f32(9) } }],
  },
  rope: {
    by: ['x'],
    constant: ['table'],
    cases: [
      { inputs: { x: f32(3, 2, 6), table: f32(3, 4) }, attrs: { inverse: false } },
      { inputs: { x: f32(2, 1, 4), table: f32(2, 4) }, attrs: { inverse: true } },
    ],
    large: [{ inputs: { x: f32(260, 5, 64), table: f32(260, 64) }, attrs: { inverse: false } }],
  },
  concatLast: {
    by: ['a', 'b'],
    cases: [{ inputs: { a: f32(2, 3, 2), b: f32(2, 3, 4) } }],
    large: [{ inputs: { a: f32(120, 7, 33), b: f32(120, 7, 20) } }],
  },
  copy: {
    by: ['x'],
    cases: [{ inputs: { x: f32(2, 3, 2) }, attrs: { dtype: 'f32' } }],
    large: [{ inputs: { x: f32(40, 30, 21) }, attrs: { dtype: 'f32' } }],
  },
  mix: {
    by: ['a', 'b'],
    cases: [
      { inputs: { a: f32(2, 3), b: f32(2, 3) }, attrs: { a: 0.7, b: -1.3 } },
      { inputs: { a: f32(4), b: f32(4) }, attrs: { a: 1, b: 0 } },
    ],
    large: [{ inputs: { a: f32(90, 301), b: f32(90, 301) }, attrs: { a: 0.7, b: 1 } }],
  },
  rmsNorm: {
    by: ['x', 'weight'],
    cases: [
      { inputs: { x: f32(3, 5), weight: f32(5) }, attrs: { eps: 1e-6 } },
      { inputs: { x: f32(2, 3), weight: bf16(3) }, attrs: { eps: 0.5 } },
    ],
    large: [{ inputs: { x: f32(270, 515), weight: f32(515) }, attrs: { eps: 1e-6 } }],
  },
  gatedAttention: {
    by: ['q', 'k', 'v', 'logBeta'],
    constant: ['start'],
    of: ['out'],
    cases: [
      {
        inputs: { ...attention(2, 6, 3), logBeta: logBeta(2, 6, 2), start: starts(2, 6) },
        attrs: { scale: 0.6 },
      },
      { inputs: attention(1, 4, 2), attrs: { scale: 0.7 } },
    ],
    large: [
      {
        inputs: { ...attention(2, 301, 40), logBeta: logBeta(2, 301, 2), start: starts(2, 301) },
        attrs: { scale: 0.16 },
      },
    ],
  },
  occupancy: {
    by: ['logBeta'],
    constant: ['start'],
    cases: [
      { inputs: { logBeta: logBeta(2, 6, 3), start: starts(2, 6) } },
      { inputs: { logBeta: logBeta(1, 5, 1) } },
    ],
    large: [{ inputs: { logBeta: logBeta(2, 700, 5), start: starts(2, 700) } }],
  },
  capacity: {
    by: ['occupancy'],
    constant: ['start'],
    of: ['loss'],
    cases: budgets.flatMap((attrs) => [
      { inputs: { occupancy: occupancies(2, 6, 3), start: starts(2, 6) }, attrs },
      { inputs: { occupancy: occupancies(1, 5, 2) }, attrs },
    ]),
    large: budgets.map((attrs) => ({
      inputs: { occupancy: occupancies(2, 120, 9), start: starts(2, 120) },
      attrs,
    })),
  },
  lmLoss: {
    by: ['logits'],
    constant: ['teacher', 'targets'],
    cases: (['forward', 'reverse'] as const).flatMap((kl) => [
      { inputs: { logits: f32(4, 7), teacher: f32(4, 7), targets: targets(4, 7) }, attrs: { kl } },
      { inputs: { logits: f32(3, 4), targets: targets(3, 4) }, attrs: { kl } },
    ]),
    large: (['forward', 'reverse'] as const).map((kl) => ({
      inputs: { logits: f32(90, 1030), teacher: f32(90, 1030), targets: targets(90, 1030) },
      attrs: { kl },
    })),
  },
}
