import { type PerLayerBudgets, perLayer } from './policy.ts'
import { type OpsScore, windowAttention } from './score.ts'
import { pool, type Transform } from './transform.ts'

/** Options of the rating that SnapKV gives a prompt, for the policies built on it. */
export const promptWindowOptions = {
  window: {
    type: 'int',
    default: 64,
    min: 1,
    doc: 'newest tokens whose queries rate the others and which always stay',
  },
  kernel: { type: 'int', default: 5, min: 1, doc: 'width of the smoothing, odd' },
  pool: {
    type: 'choice',
    choices: ['avg', 'max'],
    default: 'avg',
    doc: 'smoothing by the mean or the largest score',
  },
} as const

export interface PromptWindow {
  readonly window: number
  readonly kernel: number
  readonly pool: 'avg' | 'max'
}

/** SnapKV's rating of a prompt: attention of its last `window` queries, smoothed over neighbours. */
export const promptWindow = (
  options: PromptWindow,
): { score: OpsScore; transforms: readonly Transform[] } => ({
  score: windowAttention({ window: options.window, columns: 'all' }),
  transforms: [pool({ kernel: options.kernel, kind: options.pool, exclude: options.window })],
})

/** What decides a pyramid: budgets that fall evenly from the first layer to the last. */
export interface Pyramid {
  /** Tokens per layer, in the mean. */
  readonly budget: number
  readonly layers: number
  readonly window: number
  readonly beta: number
}

const clamp = (budget: number): number => Math.max(1, budget)

/**
 * PyramidKV's budgets in whole numbers: of C tokens, C − w are shared out from 2(C − w) − ⌊(C − w)/β⌋ in the first layer down
 * in equal steps, and the window comes on top. Prompts below C stay whole, those below 2(C − w) keep C in every layer.
 */
function paperPyramid({ budget, layers, window, beta }: Pyramid, tokens: number): number[] {
  const scored = budget - window
  if (tokens < budget) return new Array<number>(layers).fill(tokens)
  if (tokens < 2 * scored) return new Array<number>(layers).fill(budget)
  const shared = 2 * scored - Math.floor(scored / beta)
  const most = Math.min(shared, tokens - window)
  const least = 2 * scored - most
  const step = layers > 1 ? Math.floor((most - least) / (layers - 1)) : 0
  return Array.from({ length: layers }, (_, layer) => most - layer * step + window)
}

/**
 * kvpress's: `kept` tokens in the mean, not whole, with the window among them and budgets rounded at the end; even where a
 * pyramid does not fit the prompt.
 */
function kvpressPyramid({ layers, window, beta }: Pyramid, tokens: number, kept: number): number[] {
  const shared = 2 * kept - kept / beta
  const most = Math.min(shared, tokens - window)
  const least = 2 * kept - most
  const fits = tokens >= most && most >= least && least >= window && layers > 1
  return Array.from({ length: layers }, (_, layer) =>
    roundHalfEven(fits ? most - (layer * (most - least)) / (layers - 1) : kept),
  )
}

/** As Python rounds. */
function roundHalfEven(x: number): number {
  const whole = Math.floor(x)
  if (x - whole !== 0.5) return Math.round(x)
  return whole % 2 === 0 ? whole : whole + 1
}

/** The most each layer keeps of a prompt of any length. */
function largest(of: (tokens: number) => number[], { budget, window }: Pyramid): number[] {
  // Layers get most of a long prompt, of one that just has a pyramid, or of one that has none yet.
  const lengths = [budget, 2 * budget, 2 * budget + window, 4 * budget + 2 * window, 1e12]
  return lengths.map(of).reduce((most, budgets) => most.map((m, layer) => Math.max(m, budgets[layer]!)))
}

/** Budgets of PyramidKV; with `ratio` those of kvpress, which keeps `tokens · (1 − ratio)` of a prompt, at most the budget. */
export function pyramid(shape: Pyramid, ratio: number | undefined): PerLayerBudgets {
  const keep = (tokens: number): number[] =>
    ratio === undefined
      ? paperPyramid(shape, tokens)
      : kvpressPyramid(shape, tokens, Math.min(shape.budget, tokens * (1 - ratio)))
  return perLayer(largest(keep, shape).map(clamp), (tokens) => keep(tokens).map(clamp))
}
