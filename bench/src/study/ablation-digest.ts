import { referenceModelDir } from '@trimkv/reference-model'
import { referenceGateRecipe } from '@trimkv/trainer'
import { ablationRecipe, ablations } from './ablation-list.ts'
import { modelDigest } from './model-digest.ts'

/** What the results of an ablation belong to: the model, and how its gates are trained. Joint training is no ablation of the list. */
export function ablationDigest(name: string): Promise<string> {
  const ablation = ablations.find((candidate) => candidate.name === name)
  const recipe = ablation
    ? { ...ablationRecipe(ablation, referenceGateRecipe), otherWeight: ablation.otherWeight ?? 0 }
    : { name, ...referenceGateRecipe }
  return modelDigest(referenceModelDir, { recipe })
}
