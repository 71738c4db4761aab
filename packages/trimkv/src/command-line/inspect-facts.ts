import { headSlots, policyConstants, tokenBytes } from '@trimkv/cache'
import { cacheShape, openModel, type PolicyInput, resolveCacheOptions } from '@trimkv/engine'
import { openGates, readModelConfig, type TensorEntry, type TensorListing } from '@trimkv/io'
import { type DecoderSpec, estimateMemory, gateParameters, modelShape, specOf } from '@trimkv/models'
import { TrimError } from '@trimkv/tensor'
import { type CacheSettingName, cacheOptions } from './cache-settings.ts'
import { modelFolder } from './hub-cache.ts'
import type { Settings } from './settings.ts'

/** Bytes a cache takes for one sequence. */
interface CacheEstimate {
  readonly context: number
  readonly fullBytes: number
  /** Of the run it is about; undefined where it is about none. */
  readonly policy: string | undefined
  /** As `slots` and `budgetBytes` undefined when the policy keeps every token. */
  readonly budget: number | undefined
  /** Slots per head: the budget and what is stored beyond it. */
  readonly slots: number | undefined
  readonly budgetBytes: number | undefined
  readonly kvDtype: string
}

export interface ModelFacts {
  readonly kind: 'model'
  readonly path: string
  readonly spec: Omit<DecoderSpec, 'rope' | 'stored'>
  readonly rope: string
  /** Whether the output head is the embedding. */
  readonly tiedHead: boolean
  readonly parameters: number
  readonly weightBytes: number
  readonly dtypes: readonly string[]
  readonly files: number
  readonly endIds: readonly number[]
  /** Tokens of the tokenizer; undefined when there is none. */
  readonly tokenizer: number | undefined
  /** Hash of the chat template; undefined when there is none. */
  readonly chatTemplate: string | undefined
  readonly gates: GatesFacts | undefined
  readonly cache: CacheEstimate
}

export interface GatesFacts {
  readonly kind: 'gates'
  readonly path: string
  readonly variant: string
  readonly units: number
  readonly baseModel: string | undefined
  readonly trainedBudget: number | undefined
  readonly parameters: number
  readonly weightBytes: number
}

export interface TensorFacts {
  readonly kind: 'tensors'
  readonly files: readonly string[]
  readonly bytes: number
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: readonly {
    readonly name: string
    readonly dtype: string
    readonly shape: readonly number[]
  }[]
}

export type Facts = ModelFacts | GatesFacts | TensorFacts

const totalBytes = ({ tensors }: TensorListing): number =>
  [...tensors.values()].reduce((sum, t) => sum + t.byteLength, 0)

/** A quantised weight by its scheme, others as the file names them. */
const typeName = ({ dtype, fileDtype }: TensorEntry): string =>
  dtype === 'q8' || dtype === 'q4' ? dtype : fileDtype

/** No tokenizer, or one of a GGUF file that has no equal here. */
const absent: readonly string[] = ['TRIMKV_NOT_FOUND', 'TRIMKV_UNSUPPORTED']

/** Undefined for what is simply not there. */
async function ifAny<T>(load: Promise<T>): Promise<T | undefined> {
  try {
    return await load
  } catch (error) {
    if (TrimError.isInstance(error) && absent.includes(error.code)) return undefined
    throw error
  }
}

interface CacheFlags extends Pick<Settings, CacheSettingName | 'gates' | 'context'> {
  /** Of a run, none of them: what it then has; undefined where there is no run. */
  readonly policies?: readonly PolicyInput[]
}

/** What a run under a policy takes. @throws as the run would for its options and its budget */
function estimateRun(
  spec: DecoderSpec,
  {
    context,
    hasGates,
    policy,
    ...settings
  }: CacheFlags & { context: number; hasGates: boolean; policy?: PolicyInput | undefined },
): CacheEstimate {
  const shape = cacheShape(spec)
  const options = { ...cacheOptions(settings), ...(policy && { policy }) }
  const basis = { spec, hasGates, contextTokens: context, batch: 1 }
  const { policy: chosen, policyOptions, budget, mode, kvDtype } = resolveCacheOptions(options, basis)
  const choice = { policy: chosen, options: policyOptions, budget, mode, shape }
  // Refuses options and budgets that the policy cannot have.
  policyConstants(choice)
  const all = { context, fullBytes: context * tokenBytes(shape, kvDtype), policy: chosen.name, kvDtype }
  if (headSlots(choice) === 'all')
    return { ...all, budget: undefined, slots: undefined, budgetBytes: undefined }
  const slots = budget + (mode.mode === 'exact' ? 1 : mode.buffer)
  const { kvBytes } = estimateMemory(spec, { weightDtype: 'f32', kvDtype, slots, batch: 1 })
  return { ...all, budget, slots, budgetBytes: kvBytes }
}

/** Of several policies the first that evicts. */
function estimateCache(spec: DecoderSpec, settings: CacheFlags): CacheEstimate {
  const { context = spec.maxLength, gates, policies } = settings
  const shared = { ...settings, context, hasGates: gates !== undefined }
  if (!policies) return { ...estimateRun(spec, { ...shared, policy: 'streaming' }), policy: undefined }
  const runs = (policies.length > 0 ? policies : [undefined]).map((policy) =>
    estimateRun(spec, { ...shared, policy }),
  )
  return runs.find(({ budget }) => budget !== undefined) ?? runs[0]!
}

/** What a model folder or GGUF file holds, and what it takes. */
export async function modelFacts(path: string, settings: CacheFlags): Promise<ModelFacts> {
  const source = await openModel(path)
  const { config, weights } = source
  const spec = specOf(config)
  const { rope, stored: _stored, ...sizes } = spec
  const tokenizer = await ifAny(source.tokenizer())
  return {
    kind: 'model',
    path,
    spec: sizes,
    rope: rope.kind,
    tiedHead: config.tieWordEmbeddings,
    parameters: modelShape(spec).parameters,
    weightBytes: totalBytes(weights),
    dtypes: [...new Set([...weights.tensors.values()].map(typeName))],
    files: weights.files.length,
    endIds: source.endIds,
    tokenizer: tokenizer?.vocabSize,
    chatTemplate: (await source.chatTemplate())?.hash,
    gates:
      settings.gates === undefined
        ? undefined
        : await gatesFacts(await modelFolder(settings.gates, process.env)),
    cache: estimateCache(spec, settings),
  }
}

/** What a folder of gates holds. */
export async function gatesFacts(path: string): Promise<GatesFacts> {
  const gates = await openGates(path)
  const { kind, intermediateSize, baseModel, memorySize } = gates.config
  return {
    kind: 'gates',
    path,
    variant: kind,
    units: intermediateSize,
    baseModel,
    trainedBudget: memorySize,
    parameters: gateParameters(specOf(await readModelConfig(path)), gates.config),
    weightBytes: totalBytes(gates),
  }
}

/** What tensor files hold. */
export function tensorFacts({ files, metadata, tensors }: TensorListing): TensorFacts {
  return {
    kind: 'tensors',
    files: files.map(({ path }) => path),
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    metadata,
    tensors: Array.from(tensors.values(), (tensor) => ({
      name: tensor.name,
      dtype: typeName(tensor),
      shape: tensor.shape,
    })),
  }
}
