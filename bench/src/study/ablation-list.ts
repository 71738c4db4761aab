import type { GateRecipe } from '@trimkv/trainer'
import { type Cell, trainingLength } from './cells.ts'
import { studyTasks } from './study-texts.ts'

/** One thing about the training of gates that is made otherwise. */
export interface Ablation {
  readonly name: string
  /** For the table. */
  readonly what: string
  readonly change?: (recipe: GateRecipe) => GateRecipe
  /** Loss weight of tokens that are no answers; 0 in the recipe. */
  readonly otherWeight?: number
}

/** Enough for losses to level off; the reference gates take several times as many. */
const steps = 180

const withCapacity = (
  recipe: GateRecipe,
  change: Partial<NonNullable<GateRecipe['losses']['capacity']>>,
): GateRecipe => {
  const { capacity } = recipe.losses
  return capacity ? { ...recipe, losses: { ...recipe.losses, capacity: { ...capacity, ...change } } } : recipe
}

const bias = (value: number): Ablation => ({
  name: `bias-${value}`,
  what: `gate bias ${value} at the start`,
  change: (recipe) => ({ ...recipe, gate: { ...recipe.gate, bias: value } }),
})

const trainedFor = (budget: number): Ablation => ({
  name: `trained-for-${budget}`,
  what: `capacity ${budget} in training`,
  change: (recipe) => withCapacity(recipe, { budget }),
})

/** The recipe of the reference gates, shorter, and with one change each. */
export const ablations: readonly Ablation[] = [
  { name: 'base', what: 'the recipe' },
  {
    name: 'no-capacity',
    what: 'without capacity loss',
    change: ({ losses: { capacity: _, ...losses }, ...recipe }) => ({ ...recipe, losses }),
  },
  {
    name: 'no-kl',
    what: 'without KL loss',
    change: ({ losses: { kl: _, klRows: __, ...losses }, ...recipe }) => ({ ...recipe, losses }),
  },
  {
    name: 'no-ntp',
    what: 'without next-token loss',
    change: (recipe) => ({ ...recipe, losses: { ...recipe.losses, ntp: false } }),
  },
  ...[0, 5, 10, 18].map(bias),
  ...[8, 32, 64].map(trainedFor),
  {
    name: 'global-capacity',
    what: 'capacity over all heads together',
    change: (recipe) => withCapacity(recipe, { scope: 'global' }),
  },
  {
    name: 'paper-capacity',
    what: 'capacity normalised as in the paper',
    change: (recipe) => withCapacity(recipe, { form: 'paper' }),
  },
  {
    name: 'all-tokens',
    what: 'loss on all tokens, a tenth of the weight on those that are no answers',
    otherWeight: 0.1,
  },
]

/** Model and gates trained together from nothing: the first half of the reference model's stages, up to 256 tokens. */
export const jointAblation = {
  name: 'joint',
  what: 'model and gates trained together, 900 steps',
  steps: 900,
} as const

/** The recipe an ablation is trained with. */
export function ablationRecipe({ change = (same) => same }: Ablation, recipe: GateRecipe): GateRecipe {
  const changed = change(recipe)
  return { ...changed, training: { ...changed.training, steps } }
}

/** Shares of the length in ablations: the two smallest budgets of the study. */
export const ablationShares: readonly number[] = [1 / 16, 1 / 8]

export function ablationCells(name: string, questions: number): Cell[] {
  const common = { setting: 'stream', length: trainingLength, questions, gates: name } as const
  const gated = ablationShares.flatMap((share) =>
    studyTasks.map((task): Cell => ({ ...common, task, policy: 'trimkv', share })),
  )
  if (name !== jointAblation.name) return gated
  // Another model: what it can do with all its cache is not known from the study.
  return [...gated, ...studyTasks.map((task): Cell => ({ ...common, task, policy: 'full', share: 1 }))]
}
