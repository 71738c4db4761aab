import { join } from 'node:path'
import { fail } from '@trimkv/tensor'
import { configFields } from './config-fields.ts'
import { fileExists, type JsonObject, readJsonObject } from './json-file.ts'
import { openSafetensors } from './safetensors.ts'
import type { TensorListing } from './tensor-listing.ts'
import { openTorchFile } from './torch-file.ts'

/** Variants of the retention gate that have a public definition. */
export const gateKinds = ['rg', 'rg2', 'rg3', 'rg10'] as const

/** A variant of the retention gate. */
export type GateKind = (typeof gateKinds)[number]

/** Retention gates, as the `config.json` of their release describes them. */
export interface GatesConfig {
  readonly kind: GateKind
  /** Hidden units of a gate. */
  readonly intermediateSize: number
  /** The model they were trained for, as its hub id. */
  readonly baseModel: string | undefined
  /** The budget they were trained with, in slots per layer and KV head. */
  readonly memorySize: number | undefined
  /** Bias the gates started from. */
  readonly biasInit: number | undefined
  /** The whole file: the fields of the base model and of the training run. */
  readonly raw: JsonObject
}

export interface GatesCheckpoint extends TensorListing {
  readonly config: GatesConfig
}

/** Names of the weights of gates: in the layout of this project, and in the published one. */
export const gateFiles = { safetensors: 'retention_gates.safetensors', torch: 'trimkv_weights.pth' } as const

const sizes = { min: 1, max: 2 ** 24 }

/**
 * Reads `config.json` of a folder of retention gates.
 * @throws TrimError `TRIMKV_NOT_FOUND`, `TRIMKV_FORMAT`, `TRIMKV_CONFIG_INVALID`; `TRIMKV_MODEL_UNSUPPORTED` for another kind
 * @see arXiv:2512.03324 and its released code, December 2025
 */
export async function readGatesConfig(dir: string): Promise<GatesConfig> {
  const file = join(dir, 'config.json')
  return parseGatesConfig(await readJsonObject(file), file)
}

/** @param file for error messages; otherwise as {@link readGatesConfig} */
export function parseGatesConfig(raw: JsonObject, file: string): GatesConfig {
  const config = configFields(raw, file)
  const name = config.required('retention_gate', config.text('retention_gate'))
  const kind = gateKinds.find((known) => known === name)
  const sizeField = 'retention_gate_intermediate_size'
  return {
    kind: kind ?? config.unsupported('retention_gate', gateKinds.join(', ')),
    intermediateSize: config.required(sizeField, config.integer(sizeField, sizes)),
    baseModel: config.text('base_model'),
    memorySize: config.integer('memory_size', { min: 1, max: 2 ** 31 - 1 }),
    biasInit: config.number('retention_gate_bias_init', { min: -1e6, max: 1e6 }),
    raw: config.raw,
  }
}

/**
 * Lists the tensors of a folder of retention gates: `retention_gates.safetensors`, which this project writes, else the
 * published `trimkv_weights.pth`. Tensors are named `model.layers.{l}.self_attn.retention_gate.*`; whether they fit a
 * model is for the model to say.
 * @throws TrimError as {@link readGatesConfig} and the readers of the two formats
 */
export async function openGates(dir: string): Promise<GatesCheckpoint> {
  const config = await readGatesConfig(dir)
  return { config, ...(await openWeights(dir)) }
}

async function openWeights(dir: string): Promise<TensorListing> {
  const { safetensors, torch } = gateFiles
  if (await fileExists(join(dir, safetensors))) return openSafetensors(join(dir, safetensors))
  if (await fileExists(join(dir, torch))) return openTorchFile(join(dir, torch))
  return fail('TRIMKV_NOT_FOUND', `${dir} holds no retention gates`, {
    why: [`expected ${safetensors} or ${torch}`],
    details: { dir },
  })
}
