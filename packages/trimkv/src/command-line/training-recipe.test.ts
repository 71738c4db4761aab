import { gateRecipes } from '@trimkv/trainer'
import { describe, expect, it } from 'vitest'
import { gateRecipeWith, trainingWith } from './training-recipe.ts'
import { gateTrainingSettings } from './training-settings.ts'

const flags = (raw: Record<string, unknown> = {}) => gateTrainingSettings({ out: 'gates', ...raw })
const recipe = gateRecipes['long-context']

describe('the recipe of a training', () => {
  it.each(['long-context', 'math', 'paper'] as const)('is %s itself where no flag is given', async (name) => {
    expect(gateRecipeWith(gateRecipes[name], await flags())).toEqual(gateRecipes[name])
  })

  it('takes every flag in place of its value', async () => {
    const given = {
      kind: 'rg2',
      units: '8',
      bias: '-2.5',
      kl: 'reverse',
      ntp: false,
      combine: 'sum',
      capacity: 'global',
      capacityForm: 'paper',
      capacityWeight: '0.5',
      budget: '25%',
      length: '64',
      rows: '3',
      packing: true,
      seed: '7',
      accumulation: '2',
    }
    expect(gateRecipeWith(recipe, await flags(given))).toEqual({
      ...recipe,
      gate: { kind: 'rg2', intermediateSize: 8, bias: -2.5 },
      losses: {
        kl: 'reverse',
        ntp: false,
        combine: 'sum',
        capacity: { weight: 0.5, budget: 0.25, scope: 'global', form: 'paper' },
      },
      length: 64,
      rows: 3,
      packing: true,
      seed: 7,
      training: { ...recipe.training, accumulation: 2 },
    })
  })

  it('loses the terms that are turned off', async () => {
    const { losses } = gateRecipeWith(recipe, await flags({ kl: 'none', capacityWeight: '0' }))
    expect(losses).toEqual({ ntp: true, combine: 'mean' })
  })

  it('warms up for a tenth of the steps at most, unless told', async () => {
    const warmupOf = async (steps: number, raw = {}) =>
      trainingWith(recipe.training, await flags(raw), steps).learningRate.warmupSteps
    expect(await warmupOf(10_000)).toBe(100)
    expect(await warmupOf(50)).toBe(5)
    expect(await warmupOf(50, { warmup: '20' })).toBe(20)
  })

  it('never decays to a rate above the peak', async () => {
    const { learningRate } = trainingWith(recipe.training, await flags({ lr: '1e-7', clip: '1' }), 10)
    expect(learningRate).toMatchObject({ peak: 1e-7, decay: { floor: 1e-7 } })
  })

  it.each([
    ['budget', '0'],
    ['budget', '0%'],
    ['budget', '100%'],
    ['budget', '1MiB'],
    ['lr', '-1'],
    ['clip', '0'],
    ['steps', '1.5'],
    ['validationShare', '1'],
    ['kind', 'rg4'],
  ])('cannot have --%s %s', async (name, value) => {
    await expect(flags({ [name]: value })).rejects.toMatchObject({ code: 'TRIMKV_OPTION' })
  })
})
