import { resolve } from 'node:path'
import {
  type ChatTemplate,
  isStoredInPlace,
  type ModelConfig,
  type ModelSource,
  openGates,
  readStored,
  type TensorEntry,
  type Tokenizer,
} from '@trimkv/io'
import { bindGates, bindWeights, type Decoder, type DecoderSpec, specOf } from '@trimkv/models'
import { createDevice, type Device, type DType, type Tensor } from '@trimkv/tensor'
import { lazily } from './lazily.ts'
import { openModel } from './open-model.ts'
import {
  type LoadedFiles,
  type ModelFingerprint,
  markFiles,
  modelFingerprint,
} from './session/model-fingerprint.ts'

/** How far loading is. Weights are mapped, not read, so this is over soon; pages come in with the first forward. */
export interface LoadProgress {
  readonly file: string
  /** Files mapped so far, this one included. */
  readonly done: number
  readonly total: number
}

/** What is loaded beside the weights, and onto which device. */
export interface LoadModelOptions {
  /** Folder of retention gates made for this model. */
  readonly gates?: string
  /** Use this device and leave it open when the model is disposed. Default: a new one. */
  readonly device?: Device
  /** Threads of a new device. Default: all cores. */
  readonly threads?: number
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: LoadProgress) => void
}

/** A model in memory: weights mapped in place, ready to run. */
export interface Model extends Disposable {
  /** The folder or GGUF file it came from. */
  readonly dir: string
  /** Its hub id, where its folder or configuration tells it. */
  readonly name: string | undefined
  readonly config: ModelConfig
  readonly spec: DecoderSpec
  readonly decoder: Decoder<Tensor>
  readonly device: Device
  /** Budget the gates were trained with, in slots per layer and head; undefined without gates. */
  readonly gatesBudget: number | undefined
  /** Ids that end an answer. */
  readonly endIds: ReadonlySet<number>
  /** Bytes of weights that could not be mapped as they stand in a GGUF file, and were repacked into memory. */
  readonly readBytes: number
  /** One line each: what is unusual about this model or its gates. */
  readonly warnings: readonly string[]
  /**
   * What tells these weights and gates from others, read on first use.
   * @throws TRIMKV_SESSION_MISMATCH when their files were changed since they were loaded
   */
  fingerprint(): Promise<ModelFingerprint>
  /** Loaded on first use. @throws TRIMKV_NOT_FOUND when the folder has none */
  tokenizer(): Promise<Tokenizer>
  /** Loaded on first use; undefined when the model has none. */
  chatTemplate(): Promise<ChatTemplate | undefined>
}

/** Maps files on demand, each once. */
function tensorMapper(device: Device, sizes: ReadonlyMap<string, number>) {
  const mappings = new Map<string, ReturnType<Device['mapFile']>>()
  const tensors: Tensor[] = []
  const read = new Map<TensorEntry, Tensor>()
  return {
    tensors,
    map(file: string): void {
      if (!mappings.has(file)) mappings.set(file, device.mapFile(file, sizes.get(file)!))
    },
    /** Takes a tensor into memory whose bytes in the file are not those it has here. */
    async read(entry: TensorEntry, signal: AbortSignal | undefined): Promise<void> {
      const bytes = await readStored(entry, signal)
      const tensor = device.storedTensor(bytes, { dtype: entry.dtype!, shape: entry.shape })
      tensors.push(tensor)
      read.set(entry, tensor)
    },
    load(entry: TensorEntry): Tensor {
      const made = read.get(entry)
      if (made) return made
      const { file, dtype, shape, byteOffset } = entry
      this.map(file)
      const tensor = mappings.get(file)!.tensor({ dtype: dtype as DType, shape }, byteOffset)
      tensors.push(tensor)
      return tensor
    },
    /** Tensors keep their mapping alive by themselves. */
    releaseMappings(): void {
      for (const mapping of mappings.values()) mapping[Symbol.dispose]()
    },
  }
}

/** Views made while weights are bound (rows of fused projections), so that they can be freed. */
function trackedSlices(device: Device, made: Tensor[]): Pick<Device['ops'], 'slice'> {
  return {
    slice: (tensor, range) => {
      const view = device.ops.slice(tensor, range)
      made.push(view)
      return view
    },
  }
}

interface Opened {
  readonly source: ModelSource
  readonly gates: Awaited<ReturnType<typeof openGates>> | undefined
}

async function openFiles(dir: string, { gates, signal }: LoadModelOptions): Promise<Opened> {
  signal?.throwIfAborted()
  const source = await openModel(dir)
  signal?.throwIfAborted()
  const release = gates === undefined ? undefined : await openGates(gates)
  signal?.throwIfAborted()
  return { source, gates: release }
}

/** The hub id of a model, where a folder tells it; what a folder is called by hand says nothing. */
function baseModelName(dir: string, { raw }: ModelConfig): string | undefined {
  const [, org, name] = /models--([^/\\]+?)--([^/\\]+)[/\\]snapshots[/\\]/.exec(resolve(dir)) ?? []
  if (org && name) return `${org}/${name}`
  const given = raw._name_or_path
  return typeof given === 'string' && given !== '' ? given : undefined
}

interface Bound {
  readonly spec: DecoderSpec
  readonly decoder: Decoder<Tensor>
  readonly tensors: readonly Tensor[]
  readonly loaded: LoadedFiles
  readonly readBytes: number
  readonly warnings: readonly string[]
}

async function bindModel(
  dir: string,
  { device, opened }: { device: Device; opened: Opened },
  options: LoadModelOptions,
): Promise<Bound> {
  const { gates } = opened
  const { config, weights } = opened.source
  const spec = specOf(config)
  const files = [...weights.files, ...(gates?.files ?? [])]
  const mapper = tensorMapper(device, new Map(files.map(({ path, size }) => [path, size])))
  const source = {
    ops: trackedSlices(device, mapper.tensors),
    load: (entry: TensorEntry) => mapper.load(entry),
  }
  try {
    const loaded = await markFiles(files)
    for (const [index, { path }] of files.entries()) {
      mapper.map(path)
      options.onProgress?.({ file: path, done: index + 1, total: files.length })
    }
    bindWeights(spec, weights.tensors, namesOnly)
    const moved = [...weights.tensors.values()].filter((entry) => !isStoredInPlace(entry))
    for (const entry of moved) await mapper.read(entry, options.signal)
    const bound = bindWeights(spec, weights.tensors, source)
    const known = baseModelName(dir, config)
    const result =
      gates && bindGates({ ...gates, name: options.gates! }, { spec, name: known ?? dir }, source)
    const decoder: Decoder<Tensor> = { spec, weights: bound, ...(result && { gates: result.gates }) }
    return {
      spec,
      decoder,
      tensors: mapper.tensors,
      loaded,
      readBytes: moved.reduce((sum, { byteLength }) => sum + byteLength, 0),
      warnings: known && result?.warning ? [result.warning] : [],
    }
  } catch (error) {
    for (const tensor of mapper.tensors) tensor[Symbol.dispose]()
    throw error
  } finally {
    mapper.releaseMappings()
  }
}

/** Finds every weight and loads none: what is missing shows before anything is read. */
const namesOnly = { ops: { slice: (name: string) => name }, load: (_: unknown, name: string) => name }

/**
 * Loads a model folder as Hugging Face writes it, and retention gates for it. Weights are mapped into memory in the
 * dtype they are stored in; nothing is copied or converted. A GGUF file of llama.cpp is taken too: of it blocks (Q8_0, Q4_0) and, in
 * llama models, queries and keys are repacked into memory.
 * @param dir folder with `config.json` and safetensors weights, or a `.gguf` file; tokenizer and template are needed for text only
 * @throws TRIMKV_NOT_FOUND, TRIMKV_FORMAT, TRIMKV_CONFIG_INVALID, TRIMKV_MODEL_UNSUPPORTED, TRIMKV_WEIGHTS_MISMATCH,
 *   TRIMKV_GATES_MISMATCH, TRIMKV_PICKLE_GLOBAL, TRIMKV_NATIVE_MISSING; `signal.reason` when aborted
 */
export async function loadModel(dir: string, options: LoadModelOptions = {}): Promise<Model> {
  const opened = await openFiles(dir, options)
  const device =
    options.device ?? createDevice(options.threads === undefined ? {} : { threads: options.threads })
  const closeDevice = (): void => {
    if (!options.device) device[Symbol.dispose]()
  }
  let bound: Bound
  try {
    bound = await bindModel(dir, { device, opened }, options)
  } catch (error) {
    closeDevice()
    throw error
  }
  return {
    dir,
    name: baseModelName(dir, opened.source.config),
    config: opened.source.config,
    spec: bound.spec,
    decoder: bound.decoder,
    device,
    gatesBudget: opened.gates?.config.memorySize,
    endIds: new Set(opened.source.endIds),
    readBytes: bound.readBytes,
    warnings: bound.warnings,
    fingerprint: lazily(() =>
      modelFingerprint(bound.spec, {
        weights: opened.source.weights,
        gates: opened.gates,
        loaded: bound.loaded,
      }),
    ),
    tokenizer: lazily(() => opened.source.tokenizer()),
    chatTemplate: lazily(() => opened.source.chatTemplate()),
    [Symbol.dispose]() {
      for (const tensor of bound.tensors) tensor[Symbol.dispose]()
      closeDevice()
    },
  }
}
