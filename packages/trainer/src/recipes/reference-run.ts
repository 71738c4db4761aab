import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadTokenizer, type Tokenizer } from '@trimkv/io'
import type { Device } from '@trimkv/tensor'
import { taskSource } from '../data/task-source.ts'
import type { TaskStage } from '../data/task-stage.ts'
import { jsonCopy } from '../json-value.ts'
import type { TrainResult } from '../run/train.ts'
import type { GateRecipe } from './gate-recipe.ts'
import {
  referenceGateRecipe,
  referenceGateStages,
  referenceRecipe,
  referenceStages,
  referenceTokenizer,
} from './reference.ts'
import { type FrozenModel, type RunRequest, trainGates } from './train-gates.ts'
import { type ModelRecipe, trainModel } from './train-model.ts'
import type { TokenizerFiles } from './word-tokenizer.ts'

/** What a reference run is told; data and validation are its own. */
export type ReferenceRequest = Omit<RunRequest, 'data' | 'validation' | 'dataIdentity'>

/** A tokenizer from its files in memory. */
async function tokenizerOf(files: TokenizerFiles): Promise<Tokenizer> {
  const folder = await mkdtemp(join(tmpdir(), 'trimkv-tokenizer-'))
  try {
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(folder, name), JSON.stringify(content))
    }
    return await loadTokenizer(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const validationEvery = 100

/** Training and validation texts of a reference run: the validation texts are of the last stage. */
function referenceData(tokenizer: Tokenizer, stages: readonly TaskStage[], seed: number) {
  const last = stages.at(-1)!
  return {
    data: taskSource({ tokenizer, stages, seed }),
    validation: {
      data: taskSource({ tokenizer, stages: [{ ...last, rows: 2 * last.rows }], seed, part: 'validation' }),
      every: validationEvery,
      batches: 8,
    },
    dataIdentity: jsonCopy(stages),
  }
}

/**
 * Trains the reference model from nothing.
 * @param change other values for the recipe, for experiments
 */
export async function trainReferenceModel(
  device: Device,
  request: ReferenceRequest & { readonly gatesOut?: string },
  change: (recipe: ModelRecipe) => ModelRecipe = (recipe) => recipe,
): Promise<TrainResult> {
  const files = referenceTokenizer()
  const recipe = change(referenceRecipe(files))
  const sources = referenceData(await tokenizerOf(files), referenceStages, recipe.seed)
  return trainModel(recipe, { ...request, ...sources, device, files: { ...files } })
}

/**
 * Trains gates on the reference model, or on another one with its tokenizer.
 * @param change other values for the recipe, for experiments
 */
export async function trainReferenceGates(
  model: FrozenModel & { readonly tokenizer: Tokenizer },
  request: ReferenceRequest,
  change: (recipe: GateRecipe) => GateRecipe = (recipe) => recipe,
): Promise<TrainResult> {
  const recipe = change(referenceGateRecipe)
  return trainGates(model, recipe, {
    ...request,
    ...referenceData(model.tokenizer, referenceGateStages, recipe.seed),
  })
}
