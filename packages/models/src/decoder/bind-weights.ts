import { fail } from '@trimkv/tensor'
import type { DecoderSpec } from './decoder-spec.ts'
import { type DecoderWeights, mapWeights, type StoredWeight } from './decoder-weights.ts'
import {
  firstLines,
  storedLoader,
  type WeightEntry,
  type WeightSource,
  weightDifferences,
} from './stored-weights.ts'

/** Every role of the model, as stored; a tensor that holds several weights comes several times. */
export function storedWeights(spec: DecoderSpec): StoredWeight[] {
  const weights: StoredWeight[] = []
  mapWeights(spec.stored, (weight) => weights.push(weight))
  return weights
}

/** Tensors that some checkpoints hold without need: the frequencies of the rotary embedding, a copy of a tied head. */
const isRedundant = (name: string, spec: DecoderSpec): boolean =>
  name.endsWith('.rotary_emb.inv_freq') ||
  (name === 'lm_head.weight' && spec.stored.head === spec.stored.embedding)

/**
 * Finds the weights of a model in a checkpoint. All are checked before the first one is loaded; tensors stay where they
 * are stored, fused projections become views of their rows.
 * @param entries by tensor name, as `openCheckpoint` of `@trimkv/io` lists them
 * @throws TRIMKV_WEIGHTS_MISMATCH naming what is missing, of another shape, not a float tensor, or left over
 */
export function bindWeights<T, E extends WeightEntry>(
  spec: DecoderSpec,
  entries: ReadonlyMap<string, E>,
  source: WeightSource<T, E>,
): DecoderWeights<T> {
  const differences = weightDifferences(storedWeights(spec), entries, (name) => isRedundant(name, spec))
  if (differences.length > 0) {
    fail('TRIMKV_WEIGHTS_MISMATCH', `The checkpoint does not hold the weights its configuration describes`, {
      why: [`read as a ${spec.family} model of ${spec.layers} layers`, ...firstLines(differences)],
      hint: 'check that config.json belongs to these weights and that all shards are there',
      details: { family: spec.family, differences },
    })
  }
  return mapWeights(spec.stored, storedLoader(entries, source))
}
