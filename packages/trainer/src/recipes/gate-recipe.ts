import type { GateKind } from '@trimkv/io'
import type { TrainOptions } from '../run/train-options.ts'
import type { Losses } from '../step/losses.ts'

/** How gates are trained: everything but the model and the data. */
export interface GateRecipe {
  /** Where the values come from. */
  readonly source: string
  readonly gate: {
    readonly kind: GateKind
    /** Hidden units of a gate. */
    readonly intermediateSize: number
    readonly bias: number
  }
  readonly losses: Losses
  /** Tokens of a row at most; longer documents are cut. */
  readonly length: number
  /** Rows of a micro-batch. */
  readonly rows: number
  /** Several documents share a row; else each has its own. */
  readonly packing: boolean
  /** Texts with fewer characters are left out. */
  readonly minCharacters: number
  /** `steps` is absent where the recipe says one pass over the data. */
  readonly training: Omit<TrainOptions, 'steps' | 'checkpointEvery' | 'seed'> & { readonly steps?: number }
  readonly seed: number
  /** Rows whose logits are held at a time. */
  readonly chunkRows: number
  /** Keep one tensor per layer and compute activations again in the backward. */
  readonly recompute: boolean
}

const adamw = {
  learningRate: { peak: 2e-4, warmupSteps: 100, decay: { kind: 'cosine', floor: 1e-6 } },
} as const

const released = {
  packing: false,
  rows: 1,
  seed: 42,
  recompute: true,
  // The scripts take blocks of 8192 and 16,384 tokens on GPUs; blocks change memory, not results.
  chunkRows: 256,
}

/**
 * The recipes of the released scripts and of the paper. The scripts train with one row per device; `paper` has the
 * accumulation of the paper's own runs.
 * @see TRIM-KV (arXiv:2512.03324), appendix on training; its released training scripts
 */
export const gateRecipes: Readonly<Record<'math' | 'long-context' | 'paper', GateRecipe>> = {
  math: {
    ...released,
    source: 'released script for Qwen3-4B on OpenR1-Math-220k',
    gate: { kind: 'rg10', intermediateSize: 512, bias: 18 },
    losses: {
      kl: 'forward',
      ntp: true,
      combine: 'mean',
      capacity: { weight: 1, budget: 128, scope: 'global', form: 'code' },
    },
    length: 32_768,
    minCharacters: 513,
    training: { ...adamw, weightDecay: 1e-5 },
  },
  'long-context': {
    ...released,
    source: 'released script for Qwen3-4B-Instruct-2507 on synth-long, BookSum and Buddhi',
    gate: { kind: 'rg', intermediateSize: 512, bias: 18 },
    losses: {
      kl: 'forward',
      ntp: true,
      combine: 'mean',
      capacity: { weight: 1, budget: 256, scope: 'head', form: 'code' },
    },
    length: 131_072,
    minCharacters: 0,
    training: { ...adamw, weightDecay: 1e-6, steps: 10_000 },
  },
  paper: {
    ...released,
    source: 'TRIM-KV (arXiv:2512.03324): losses added, weight decay 0.01, four rows per step and device',
    gate: { kind: 'rg', intermediateSize: 512, bias: 18 },
    losses: {
      kl: 'forward',
      ntp: true,
      combine: 'sum',
      capacity: { weight: 1, budget: 512, scope: 'head', form: 'paper' },
    },
    length: 16_384,
    minCharacters: 0,
    training: { ...adamw, weightDecay: 0.01, accumulation: 4 },
  },
}
