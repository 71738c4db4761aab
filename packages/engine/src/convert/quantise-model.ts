import { realpath, statfs } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import {
  type ModelSource,
  makeFolder,
  quantisedPieces,
  safetensorsPieces,
  storedPieces,
  type TensorEntry,
  type TensorToStream,
  writeModelFolder,
} from '@trimkv/io'
import { bindWeights, type DecoderSpec, type StoredWeight, specOf, storedWeights } from '@trimkv/models'
import {
  dtypeBytes,
  fail,
  type QuantisedDType,
  quantisedBytes,
  quantisedDepth,
  quantisedRows,
} from '@trimkv/tensor'
import { openModel } from '../open-model.ts'

/** How far a conversion is, in elements of the weights. */
export interface QuantiseProgress {
  readonly done: number
  readonly total: number
}

/** What becomes of a model, and how its conversion is watched and stopped. */
export interface QuantiseOptions {
  readonly weights: QuantisedDType
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: QuantiseProgress) => void
}

/** What a conversion wrote. */
export interface QuantisedModel {
  readonly files: readonly string[]
  /** Bytes of all weights, before and after. */
  readonly bytesBefore: number
  readonly bytesAfter: number
  /** Tensors that became quantised. */
  readonly quantised: number
  /** Matrices that could not, and stay as they are. */
  readonly kept: readonly string[]
}

/** Whether a weight can be stored in panels of 16 rows and blocks of 32 elements, with every part of it a whole panel. */
const fits = ({ shape }: StoredWeight, parts: readonly StoredWeight[]): boolean =>
  shape[1]! % quantisedDepth === 0 && parts.every(({ rows }) => (rows?.start ?? 0) % quantisedRows === 0)

function chooseMatrices(spec: DecoderSpec): {
  readonly quantised: ReadonlySet<string>
  readonly kept: string[]
} {
  const matrices = storedWeights(spec).filter(({ shape }) => shape.length === 2)
  const names = [...new Set(matrices.map(({ name }) => name))]
  const can = (name: string): boolean => {
    const parts = matrices.filter((weight) => weight.name === name)
    return fits(parts[0]!, parts)
  }
  return { quantised: new Set(names.filter(can)), kept: names.filter((name) => !can(name)) }
}

/** Checks names and shapes as loading would. */
function checkWeights(spec: DecoderSpec, source: ModelSource): void {
  bindWeights(spec, source.weights.tensors, {
    ops: { slice: (name: string) => name },
    load: (_, name) => name,
  })
}

function refuseQuantised({ weights }: ModelSource, model: string): void {
  const found = [...weights.tensors.values()].find(
    ({ dtype, fileDtype }) => (dtype === 'q8' || dtype === 'q4') && fileDtype === 'U8',
  )
  if (!found) return
  fail('TRIMKV_OPTION', `${model} is quantised already`, {
    why: [`${found.name} is ${found.dtype}`],
    hint: 'convert the checkpoint that it was made from',
  })
}

async function checkSpace(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= bytes) return
  fail('TRIMKV_DISK', `${folder} has no room for the weights`, {
    why: [`they take ${bytes} bytes`, `${bavail * bsize} are free`],
    hint: 'free some space, or choose a folder on another disk',
    details: { folder, bytes, free: bavail * bsize },
  })
}

const bytesOf = (tensor: TensorToStream): number =>
  tensor.dtype === 'q8' || tensor.dtype === 'q4'
    ? quantisedBytes({ dtype: tensor.dtype, shape: tensor.shape })
    : tensor.shape.reduce((a, b) => a * b, 1) * dtypeBytes(tensor.dtype)

/** Same file, or a folder where it lies: then writing would destroy what is read. */
async function refuseSameFolder(model: string, folder: string): Promise<void> {
  const [from, to] = await Promise.all([realpath(model), realpath(folder)])
  if (from !== to && dirname(from) !== to) return
  fail('TRIMKV_OPTION', `${folder} holds the model itself`, { hint: 'choose another folder with --out' })
}

/**
 * Writes a model with its matrices quantised: made once, then mapped like any other checkpoint. Norms and biases keep their
 * dtype; a tied embedding is quantised with the head. Tensors go through memory piece by piece. The files
 * are put in their places together and replace a model that is there, as `writeModelFolder` does.
 * @param model a folder as `loadModel` takes it, or a GGUF file
 * @param folder made where it does not exist
 * @throws TRIMKV_OPTION when the model is quantised or lies in `folder`, TRIMKV_DISK before anything is written when the weights do
 *   not fit, and as `loadModel` and `writeFolder`; `signal.reason` when aborted
 */
export async function quantiseModel(
  model: string,
  folder: string,
  options: QuantiseOptions,
): Promise<QuantisedModel> {
  const source = await openModel(model)
  const spec = specOf(source.config)
  refuseQuantised(source, model)
  checkWeights(spec, source)
  const { quantised, kept } = chooseMatrices(spec)
  const wanted = new Set(storedWeights(spec).map(({ name }) => name))
  const entries = [...source.weights.tensors.values()].filter(({ name }) => wanted.has(name))
  const sizeOf = ({ shape }: TensorEntry): number => shape.reduce((a, b) => a * b, 1)
  const total = entries.reduce((sum, entry) => sum + sizeOf(entry), 0)
  let done = 0
  const tensors = Object.fromEntries(
    entries.map((entry) => {
      const dtype = quantised.has(entry.name) ? options.weights : entry.dtype!
      const pieces = quantised.has(entry.name)
        ? () => quantisedPieces(entry, options.weights, options.signal)
        : () => storedPieces(entry, options.signal)
      async function* data(): AsyncGenerator<Uint8Array> {
        for await (const piece of pieces()) {
          yield piece
          options.onProgress?.({ done: Math.min(total, done + piece.byteLength / dtypeBytes(dtype)), total })
          done += piece.byteLength / dtypeBytes(dtype)
        }
      }
      const tensor: TensorToStream = { dtype, shape: entry.shape, data }
      return [entry.name, tensor]
    }),
  )
  const bytesAfter = Object.values(tensors).reduce((sum, tensor) => sum + bytesOf(tensor), 0)
  makeFolder(folder)
  await refuseSameFolder(model, folder)
  await checkSpace(folder, bytesAfter)
  const side = [...(await source.sideFiles())].map(([name, content]) => [basename(name), content] as const)
  const weights = safetensorsPieces(tensors, { format: 'pt' })
  const content = { 'model.safetensors': weights, ...Object.fromEntries(side) }
  const files = await writeModelFolder(folder, source.config.raw, content).catch((error: unknown) => {
    options.signal?.throwIfAborted()
    throw error
  })
  return {
    files,
    bytesBefore: entries.reduce((sum, { byteLength }) => sum + byteLength, 0),
    bytesAfter,
    quantised: quantised.size,
    kept,
  }
}
