import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Model } from '@trimkv/engine'
import {
  type FrozenModel,
  type ReferenceRequest,
  referenceGateRecipe,
  referenceGateStages,
  type TrainEvent,
  taskSource,
  trainGates,
  trainReferenceGates,
  trainReferenceModel,
} from '@trimkv/trainer'
import { type Ablation, ablationRecipe, jointAblation } from './ablation-list.ts'

export interface TrainingPlace {
  /** Of this training alone; goes on with what it holds. */
  readonly folder: string
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

const sayEvent =
  (say: (line: string) => void) =>
  (event: TrainEvent): void => {
    if (event.kind !== 'step' || event.step % 20 !== 0) return
    const terms = Object.entries(event.terms).map(([name, value]) => `${name} ${value.toFixed(4)}`)
    say(`  step ${event.step}/${event.steps}: ${terms.join(', ')}, ${Math.ceil(event.etaSeconds)} s left`)
  }

const requestFor = ({ folder, signal, say }: TrainingPlace, out: string): ReferenceRequest => ({
  folder: join(folder, 'run'),
  out,
  checkpointEvery: 50,
  signal,
  onProgress: sayEvent(say),
})

/** Gates of an ablation on a model, trained unless the folder has them. @returns the folder of gates */
export async function trainAblation(model: Model, ablation: Ablation, place: TrainingPlace): Promise<string> {
  const out = join(place.folder, 'gates')
  // Written last, and at once.
  if (existsSync(join(out, 'config.json'))) return out
  const { device, decoder, config } = model
  const frozen: FrozenModel = { device, decoder, config, name: 'reference-model' }
  const request = requestFor(place, out)
  const recipe = ablationRecipe(ablation, referenceGateRecipe)
  const tokenizer = await model.tokenizer()
  const { otherWeight } = ablation
  if (otherWeight === undefined) {
    await trainReferenceGates({ ...frozen, tokenizer }, request, () => recipe)
    return out
  }
  // Without validation, whose texts have the weights of the recipe: the gates are those of the last step.
  const stages = referenceGateStages.map((stage) => ({ ...stage, otherWeight }))
  const data = taskSource({ tokenizer, stages, seed: recipe.seed })
  await trainGates(frozen, recipe, { ...request, data, dataIdentity: { otherWeight } })
  return out
}

/** A model with gates that were trained together, unless the folder has them. @returns the folders of both */
export async function trainJointly(
  { device }: Pick<Model, 'device'>,
  place: TrainingPlace,
): Promise<{ model: string; gates: string }> {
  const model = join(place.folder, 'model')
  const gates = join(place.folder, 'gates')
  if (existsSync(join(gates, 'config.json'))) return { model, gates }
  const { gate, losses } = referenceGateRecipe
  await trainReferenceModel(device, { ...requestFor(place, model), gatesOut: gates }, (recipe) => ({
    ...recipe,
    training: { ...recipe.training, steps: jointAblation.steps },
    ...(losses.capacity && { gates: { gate, capacity: losses.capacity } }),
  }))
  return { model, gates }
}
