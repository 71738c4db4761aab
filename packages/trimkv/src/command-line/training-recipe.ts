import type { GateRecipe } from '@trimkv/trainer'
import type { GateTrainingSettings, TrainingSettings } from './training-settings.ts'

type Training = GateRecipe['training']
type Losses = GateRecipe['losses']

/** A short run would else do nothing but warm up. */
const largestWarmupShare = 0.1

/**
 * The values of a recipe, with those that flags give in their place.
 * @param steps where neither says how many
 */
export function trainingWith<T extends Training>(
  base: T,
  flags: Pick<TrainingSettings, 'steps' | 'lr' | 'warmup' | 'weightDecay' | 'clip'>,
  steps: number,
): T & { readonly steps: number } {
  const { peak, warmupSteps = 0, decay } = base.learningRate
  const newPeak = flags.lr ?? peak
  return {
    ...base,
    steps,
    learningRate: {
      peak: newPeak,
      warmupSteps: flags.warmup ?? Math.min(warmupSteps, Math.floor(steps * largestWarmupShare)),
      decay: decay.kind === 'cosine' ? { ...decay, floor: Math.min(decay.floor, newPeak) } : decay,
    },
    ...(flags.weightDecay !== undefined && { weightDecay: flags.weightDecay }),
    ...(flags.clip !== undefined && { clipNorm: flags.clip }),
  }
}

type LossFlags = Pick<
  GateTrainingSettings,
  'kl' | 'ntp' | 'combine' | 'capacity' | 'capacityForm' | 'capacityWeight' | 'budget'
>

function lossesWith({ kl: baseKl, capacity: base, ...rest }: Losses, flags: LossFlags): Losses {
  const kl = flags.kl === 'none' ? undefined : (flags.kl ?? baseKl)
  const capacity = base && {
    weight: flags.capacityWeight ?? base.weight,
    budget: flags.budget ?? base.budget,
    scope: flags.capacity ?? base.scope,
    form: flags.capacityForm ?? base.form,
  }
  return {
    ...rest,
    ntp: flags.ntp ?? rest.ntp,
    combine: flags.combine ?? rest.combine,
    ...(kl && { kl }),
    ...(capacity && capacity.weight > 0 && { capacity }),
  }
}

/** As {@link trainingWith}, for all that gates are trained with but the number of steps. */
export function gateRecipeWith(base: GateRecipe, flags: GateTrainingSettings): GateRecipe {
  const { kind, units, bias, length, rows, packing, seed, accumulation } = flags
  return {
    ...base,
    gate: {
      kind: kind ?? base.gate.kind,
      intermediateSize: units ?? base.gate.intermediateSize,
      bias: bias ?? base.gate.bias,
    },
    losses: lossesWith(base.losses, flags),
    length: length ?? base.length,
    rows: rows ?? base.rows,
    packing: packing ?? base.packing,
    seed: seed ?? base.seed,
    training: { ...base.training, ...(accumulation !== undefined && { accumulation }) },
  }
}
