import { fileURLToPath } from 'node:url'
import {
  openCheckpoint,
  openGates,
  openSafetensors,
  readModelConfig,
  readTensorData,
  readTensorIntegers,
  type TensorEntry,
  type TensorListing,
} from '@trimkv/io'
import type { TensorLike } from '@trimkv/tensor'
import { bindGates, bindWeights, type Decoder, specOf } from '../src/index.ts'
import type { TestBackend } from './test-backend.ts'

export const goldenPath = (path: string): string =>
  fileURLToPath(new URL(`../../../e2e/golden/${path}`, import.meta.url))

/** The checkpoint `{name}/hf`, without gates. */
export async function loadModel<T extends TensorLike>(
  backend: TestBackend<T>,
  name: string,
): Promise<Decoder<T>> {
  const spec = specOf(await readModelConfig(goldenPath(`${name}/hf`)))
  const listing = await openCheckpoint(goldenPath(`${name}/hf`))
  const source = { ops: backend.ops, load: await backend.weights(listing) }
  return { spec, weights: bindWeights(spec, listing.tensors, source) }
}

/** The model with the gates of `{folder}/gates`. */
export async function withGates<T extends TensorLike>(
  backend: TestBackend<T>,
  model: Decoder<T>,
  { folder, base }: { folder: string; base: string },
): Promise<Decoder<T>> {
  const release = { ...(await openGates(goldenPath(`${folder}/gates`))), name: folder }
  const source = { ops: backend.ops, load: await backend.weights(release) }
  return { ...model, gates: bindGates(release, { spec: model.spec, name: base }, source).gates }
}

/** The model with gates that stand under `prefix` in a file of recordings. */
export async function withRecordedGates<T extends TensorLike>(
  backend: TestBackend<T>,
  model: Decoder<T>,
  recorded: { listing: TensorListing; prefix: string; kind: 'rg' | 'rg10'; intermediateSize: number },
): Promise<Decoder<T>> {
  const { listing, prefix, kind, intermediateSize } = recorded
  const named = [...listing.tensors].filter(([name]) => name.startsWith(prefix))
  const tensors = new Map(named.map(([name, entry]) => [name.slice(prefix.length), entry]))
  const config = {
    kind,
    intermediateSize,
    baseModel: undefined,
    memorySize: undefined,
    biasInit: undefined,
    raw: {},
  }
  const source = { ops: backend.ops, load: await backend.weights({ ...listing, tensors }) }
  return {
    ...model,
    gates: bindGates({ config, tensors, name: prefix }, { spec: model.spec, name: '' }, source).gates,
  }
}

/** Recorded arrays of `{folder}/golden.safetensors` by name. */
export async function openRecorded(folder: string): Promise<{
  listing: TensorListing
  floats(name: string): Promise<Float32Array>
  integers(name: string): Promise<Int32Array>
}> {
  const listing = await openSafetensors(goldenPath(`${folder}/golden.safetensors`))
  const entry = (name: string): TensorEntry => {
    const found = listing.tensors.get(name)
    if (!found) throw new Error(`${folder} has no recorded tensor ${name}`)
    return found
  }
  return {
    listing,
    floats: (name) => readTensorData(entry(name)),
    integers: (name) => readTensorIntegers(entry(name)),
  }
}
