import type { GatesConfig } from '@trimkv/io'
import { fail } from '@trimkv/tensor'
import type { DecoderSpec } from '../decoder/decoder-spec.ts'
import type { StoredWeight } from '../decoder/decoder-weights.ts'
import {
  firstLines,
  storedLoader,
  type WeightEntry,
  type WeightSource,
  weightDifferences,
} from '../decoder/stored-weights.ts'
import { gateMaps, mapGate, type RetentionGate } from './retention-gate.ts'

/** A release of retention gates, as `openGates` of `@trimkv/io` reads it. */
export interface GatesRelease<E extends WeightEntry> {
  readonly config: GatesConfig
  readonly tensors: ReadonlyMap<string, E>
  /** Where it came from, for messages: a folder or a hub id. */
  readonly name: string
}

/** The model that gates are bound to. */
export interface GatedModel {
  readonly spec: DecoderSpec
  /** Where it came from, for messages: a folder or a hub id. */
  readonly name: string
}

/** Gates of a model, ready to use. */
export interface BoundGates<T> {
  /** One per layer. */
  readonly gates: readonly RetentionGate<T>[]
  /** One line, when the gates name another base model although their shapes fit. */
  readonly warning?: string
}

/** Where the gates of a model are stored, one per layer. */
export function storedGates(
  spec: DecoderSpec,
  { kind, intermediateSize }: Pick<GatesConfig, 'kind' | 'intermediateSize'>,
): RetentionGate<StoredWeight>[] {
  const sizes = { ...spec, gateSize: intermediateSize }
  return Array.from({ length: spec.layers }, (_, layer) =>
    gateMaps[kind](sizes, `model.layers.${layer}.self_attn.retention_gate.`),
  )
}

/** Every weight of a list of gates. */
export function gateWeights<W>(gates: readonly RetentionGate<W>[]): W[] {
  const weights: W[] = []
  for (const gate of gates) mapGate(gate, (weight) => weights.push(weight))
  return weights
}

function trainedFor({ raw, baseModel, kind, intermediateSize }: GatesConfig): string {
  const { num_hidden_layers: layers, hidden_size: width } = raw
  const base = baseModel ?? 'a model they do not name'
  return `${base} (${layers} layers, d=${width}) as ${kind} with ${intermediateSize} units`
}

/** Hub ids and folders name a model by their last part. */
const lastPart = (name: string): string =>
  name
    .replace(/[/\\]+$/, '')
    .split(/[/\\]/)
    .at(-1)
    ?.toLowerCase() ?? ''

function baseModelWarning(
  { config, name }: GatesRelease<WeightEntry>,
  model: GatedModel,
): string | undefined {
  const { baseModel } = config
  if (baseModel === undefined || lastPart(baseModel) === lastPart(model.name)) return undefined
  return `gates ${name} were trained for ${baseModel}, and the model is ${model.name}: their shapes fit, their scores may not`
}

/**
 * Finds the gates of a model in a release. Layers that share a tensor in the file load it by each of its names.
 * @throws TRIMKV_GATES_MISMATCH when layers, heads, widths or names do not fit the model
 */
export function bindGates<T, E extends WeightEntry>(
  release: GatesRelease<E>,
  model: GatedModel,
  source: WeightSource<T, E>,
): BoundGates<T> {
  const { spec } = model
  const stored = storedGates(spec, release.config)
  const differences = weightDifferences(gateWeights(stored), release.tensors, () => false)
  if (differences.length > 0) {
    fail('TRIMKV_GATES_MISMATCH', 'Gates do not fit this model', {
      why: [
        `gates  ${release.name} were trained for ${trainedFor(release.config)}`,
        `model  ${model.name} has ${spec.layers} layers, d=${spec.hiddenSize}, ${spec.kvHeads} KV heads of ${spec.headDim}`,
        ...firstLines(differences),
      ],
      hint: `choose gates trained for ${model.name}, or a policy that needs none`,
      details: { gates: release.name, model: model.name, baseModel: release.config.baseModel, differences },
    })
  }
  const load = storedLoader(release.tensors, source)
  const warning = baseModelWarning(release, model)
  return { gates: stored.map((gate) => mapGate(gate, load)), ...(warning !== undefined && { warning }) }
}
