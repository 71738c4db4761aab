import { referenceGateRecipe } from '@trimkv/trainer'
import { expect, it } from 'vitest'
import { ablationRecipe, ablations } from './ablation-list.ts'

const base = JSON.stringify(ablationRecipe(ablations[0]!, referenceGateRecipe))

it('begins with the recipe itself, in fewer steps', () => {
  const { steps, ...training } = referenceGateRecipe.training
  const made = ablationRecipe(ablations[0]!, referenceGateRecipe)
  expect(made.training).toMatchObject(training)
  expect(made.training.steps).toBeLessThan(steps!)
  expect({ ...made, training: 0 }).toEqual({ ...referenceGateRecipe, training: 0 })
})

it.each(ablations.slice(1).map((ablation) => [ablation.name, ablation] as const))(
  '%s trains otherwise',
  (_, ablation) => {
    const changed = JSON.stringify(ablationRecipe(ablation, referenceGateRecipe)) !== base
    expect(changed).toBe(ablation.otherWeight === undefined)
  },
)

it('leaves out what it says', () => {
  const losses = (name: string) =>
    ablationRecipe(ablations.find((ablation) => ablation.name === name)!, referenceGateRecipe).losses
  expect(losses('no-capacity').capacity).toBeUndefined()
  expect(losses('no-kl').kl).toBeUndefined()
  expect(losses('no-ntp').ntp).toBe(false)
  expect(losses('trained-for-64').capacity?.budget).toBe(64)
})
