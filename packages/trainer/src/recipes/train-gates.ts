import { type JsonObject, type ModelConfig, writeGates } from '@trimkv/io'
import type { Decoder } from '@trimkv/models'
import { type Device, fail, type Tensor } from '@trimkv/tensor'
import type { DataSource } from '../data-source.ts'
import { type JsonValue, jsonCopy } from '../json-value.ts'
import { type TrainResult, train } from '../run/train.ts'
import type { TrainEvent } from '../run/train-event.ts'
import type { ValidationOptions } from '../run/train-options.ts'
import { createTrainable } from '../step/create-trainable.ts'
import { initialGates } from '../step/initial-values.ts'
import type { GateRecipe } from './gate-recipe.ts'
import { trainedTensors } from './trained-tensors.ts'

/** A model whose gates are trained; it is not changed. */
export interface FrozenModel {
  readonly device: Device
  readonly decoder: Pick<Decoder<Tensor>, 'spec' | 'weights'>
  readonly config: ModelConfig
  /** Its hub id, or the name of its folder: recorded with the gates. */
  readonly name: string
}

/** What all trainings are told beside their recipe. */
export interface RunRequest {
  readonly data: DataSource
  readonly validation?: ValidationOptions
  /** What the data is, in any form: recorded, and compared when the run goes on. */
  readonly dataIdentity: JsonValue
  /** Checkpoints and metrics. A run that it holds goes on. */
  readonly folder: string
  /** Where the result is written. */
  readonly out: string
  readonly checkpointEvery: number
  readonly signal?: AbortSignal
  readonly onProgress?: (event: TrainEvent) => void
}

/**
 * Trains retention gates on a frozen model and writes them as a folder of gates: those of the best validation, or of the
 * last step without one.
 * @throws TrimError as {@link train}; `TRIMKV_OPTION` when neither recipe nor caller says how many steps
 */
export async function trainGates(
  model: FrozenModel,
  recipe: GateRecipe,
  request: RunRequest,
): Promise<TrainResult> {
  const { device, decoder } = model
  const { gate, losses, seed, chunkRows, recompute } = recipe
  const { steps } = recipe.training
  if (steps === undefined) {
    fail('TRIMKV_OPTION', 'the recipe does not say how many steps to train', { hint: 'set training.steps' })
  }
  const std = initializerRange(model.config)
  const { values, learned } = initialGates(device, decoder.spec, { ...gate, std, seed })
  try {
    using trainable = createTrainable({
      device,
      decoder: { spec: decoder.spec, weights: decoder.weights, gates: values },
      learned,
      losses,
      chunkRows,
      recompute,
    })
    const { folder, out, checkpointEvery, dataIdentity, data, validation, signal, onProgress } = request
    const result = await train({
      trainable,
      data,
      device,
      folder,
      recipe: jsonCopy({
        gates: { gate, losses, std },
        model: model.name,
        isa: device.isa,
        data: dataIdentity,
      }),
      options: { ...recipe.training, steps, seed, checkpointEvery },
      ...(validation && { validation }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
    })
    await writeGates(out, {
      config: gatesConfig(model, recipe),
      tensors: await trainedTensors(folder, trainable, result),
    })
    return result
  } finally {
    for (const { tensor } of learned) tensor[Symbol.dispose]()
  }
}

/** Standard deviation the model was initialised with. */
function initializerRange({ raw }: ModelConfig): number {
  const given = raw.initializer_range
  return typeof given === 'number' && given > 0 ? given : 0.02
}

/** The fields that releases of gates have, on top of the model's own. */
export function gatesConfig(
  { config, name }: Pick<FrozenModel, 'config' | 'name'>,
  recipe: Pick<GateRecipe, 'gate' | 'losses' | 'length' | 'chunkRows'>,
): JsonObject {
  const { gate, losses, length, chunkRows } = recipe
  const terms = [losses.kl && { forward: 'fwkl', reverse: 'rvkl' }[losses.kl], losses.ntp && 'ntp']
  return {
    ...config.raw,
    base_model: name,
    retention_gate: gate.kind,
    retention_gate_intermediate_size: gate.intermediateSize,
    retention_gate_bias_init: gate.bias,
    base_loss: terms.filter(Boolean).join('_'),
    ...(losses.capacity && {
      memory_size: losses.capacity.budget,
      retention_weight: losses.capacity.weight,
      global_capacity: losses.capacity.scope === 'global',
    }),
    trainable_params: 'self_attn.retention_gate',
    max_seq_len: length,
    logit_block_size: chunkRows,
  }
}
