import { type JsonObject, parseModelConfig, writeGates, writeModel } from '@trimkv/io'
import { specOf } from '@trimkv/models'
import type { Device } from '@trimkv/tensor'
import { jsonCopy } from '../json-value.ts'
import { type TrainResult, train } from '../run/train.ts'
import type { TrainOptions } from '../run/train-options.ts'
import { createTrainable } from '../step/create-trainable.ts'
import { type InitialWeights, initialGates, initialWeights } from '../step/initial-values.ts'
import type { CapacityLoss } from '../step/losses.ts'
import type { GateRecipe } from './gate-recipe.ts'
import { gatesConfig, type RunRequest } from './train-gates.ts'
import { trainedTensors } from './trained-tensors.ts'

/** How a small model is trained from scratch. */
export interface ModelRecipe {
  readonly source: string
  /** `config.json` of the model. */
  readonly config: JsonObject
  readonly initial: Omit<InitialWeights, 'seed'>
  readonly training: Omit<TrainOptions, 'checkpointEvery' | 'seed'>
  readonly seed: number
  readonly chunkRows: number
  /** Gates that learn with the model: attention is gated from the first step on. */
  readonly gates?: { readonly gate: GateRecipe['gate']; readonly capacity: CapacityLoss }
}

export interface ModelRunRequest extends RunRequest {
  readonly device: Device
  /** Files beside the weights, such as those of the tokenizer. */
  readonly files: Readonly<Record<string, string | JsonObject>>
  /** Folder for gates trained jointly. */
  readonly gatesOut?: string
}

/**
 * Trains a model from scratch on next-token prediction, alone or jointly with gates, and writes it as a checkpoint folder.
 * @throws TrimError as {@link train}
 */
export async function trainModel(recipe: ModelRecipe, request: ModelRunRequest): Promise<TrainResult> {
  const { device } = request
  const config = parseModelConfig(recipe.config, 'config.json of the recipe')
  const spec = specOf(config)
  const model = initialWeights(device, spec, { ...recipe.initial, seed: recipe.seed })
  const joint = recipe.gates && {
    ...recipe.gates,
    made: initialGates(device, spec, { ...recipe.gates.gate, std: recipe.initial.std, seed: recipe.seed }),
  }
  const learned = [...model.learned, ...(joint?.made.learned ?? [])]
  try {
    using trainable = createTrainable({
      device,
      decoder: { spec, weights: model.values, ...(joint && { gates: joint.made.values }) },
      learned,
      losses: { ntp: true, combine: 'sum', ...(joint && { capacity: joint.capacity }) },
      chunkRows: recipe.chunkRows,
    })
    const { folder, out, checkpointEvery, data, validation, dataIdentity, signal, onProgress } = request
    const { config: described, initial, gates } = recipe
    const result = await train({
      trainable,
      data,
      device,
      folder,
      recipe: jsonCopy({ config: described, initial, gates, isa: device.isa, data: dataIdentity }),
      options: { ...recipe.training, seed: recipe.seed, checkpointEvery },
      ...(validation && { validation }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    })
    const tensors = Object.entries(await trainedTensors(folder, trainable, result))
    const isGate = ([name]: [string, unknown]): boolean => name.includes('.retention_gate.')
    await writeModel(out, {
      config: described,
      tensors: Object.fromEntries(tensors.filter((entry) => !isGate(entry))),
      files: request.files,
    })
    if (joint && request.gatesOut !== undefined) {
      const gateRecipe = {
        ...joint,
        losses: { ntp: true, combine: 'sum', capacity: joint.capacity } as const,
        length: spec.maxLength,
        chunkRows: recipe.chunkRows,
      }
      await writeGates(request.gatesOut, {
        config: gatesConfig({ config, name: 'trained jointly' }, gateRecipe),
        tensors: Object.fromEntries(tensors.filter(isGate)),
      })
    }
    return result
  } finally {
    for (const { tensor } of learned) tensor[Symbol.dispose]()
  }
}
