import { execFile } from 'node:child_process'
import { access, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { quantiseModel } from '@trimkv/engine'
import { type TensorToWrite, writeGates } from '@trimkv/io'
import { elementCount } from '@trimkv/tensor'
import {
  type GgufFormat,
  type GgufTensor,
  ggufFormats,
  ggufMetadata,
  type ModelShape,
  modelParameters,
  writeGguf,
} from '@trimkv/testing'
import {
  bf16Bits,
  noisePattern,
  qwen3Config,
  repeated,
  writeQwen3Checkpoint,
} from '../training/qwen3-checkpoint.ts'
import type { WeightFormat } from './weight-formats.ts'

/** Qwen3-0.6B. */
export const shape: ModelShape = {
  layers: 28,
  width: 1024,
  heads: 16,
  kvHeads: 8,
  headDim: 128,
  hidden: 3072,
  vocab: 151_936,
}
const contextLength = 40_960
const variant = { family: 'qwen3' } as const
const gateSize = 512

/** Kept between runs: 1.2 GB for each kind of weights, 5.6 GB of llama.cpp's caches once `long` has run. */
const folder = join(tmpdir(), 'trimkv-inference-1')

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/**
 * Has the system forget what it remembers of files, so that it reads them as it does after a start: in pages as large as
 * whoever maps them asks for. What was written or read in another way stays in small ones.
 */
async function readAnew(path: string): Promise<string> {
  const below = await readdir(path, { recursive: true }).catch(() => [''])
  for (const name of below) {
    const args = [
      `of=${join(path, name)}`,
      'oflag=nocache',
      'conv=notrunc,fdatasync',
      'count=0',
      'status=none',
    ]
    await promisify(execFile)('dd', args)
  }
  return path
}

/** What `write` makes, once for all runs; a run that was cut short leaves nothing behind that another one takes. */
export async function cachedFile(name: string, write: (path: string) => Promise<unknown>): Promise<string> {
  const path = join(folder, name)
  if (await exists(path)) return path
  await mkdir(folder, { recursive: true })
  const unfinished = `${path}.${process.pid}.unfinished`
  try {
    await write(unfinished)
    await rename(unfinished, path)
  } finally {
    await rm(unfinished, { recursive: true, force: true })
  }
  return path
}

/** Folder of random weights of Qwen3-0.6B's shape: bf16, or what `trimkv convert` makes of these. */
export async function checkpointFolder({ converted }: Pick<WeightFormat, 'converted'>): Promise<string> {
  const plain = await cachedFile('model', writeQwen3Checkpoint)
  if (!converted) return readAnew(plain)
  return readAnew(
    await cachedFile(`model-${converted}`, (path) => quantiseModel(plain, path, { weights: converted })),
  )
}

/** Folder of random retention gates for it, as wide as the published ones. */
export const gatesFolder = (): Promise<string> =>
  cachedFile('gates', async (path) => {
    const bits = bf16Bits(noisePattern())
    const tensors: Record<string, TensorToWrite> = {}
    for (let layer = 0; layer < shape.layers; layer++) {
      const add = (name: string, ...size: number[]): void => {
        const data = bits.subarray(0, elementCount(size))
        tensors[`model.layers.${layer}.self_attn.retention_gate.${name}`] = {
          dtype: 'bf16',
          shape: size,
          data,
        }
      }
      add('linear1.weight', gateSize, shape.width)
      add('linear1.bias', gateSize)
      add('linear2.weight', shape.kvHeads, gateSize)
      add('bias', shape.kvHeads)
    }
    const gate = { retention_gate: 'rg', retention_gate_intermediate_size: gateSize, memory_size: 1024 }
    await writeGates(path, { config: { ...qwen3Config, ...gate }, tensors })
  })

/** The same weights for llama.cpp. */
export const ggufFile = async (format: GgufFormat): Promise<string> => readAnew(await cachedGguf(format))

const cachedGguf = (format: GgufFormat): Promise<string> =>
  cachedFile(`model-${format}.gguf`, async (path) => {
    const pattern = ggufFormats[format].encode(noisePattern())
    // The output head is the embedding, as llama.cpp takes it where no head is stored.
    const stored = modelParameters(variant, shape).filter(({ gguf }) => gguf !== 'output.weight')
    const sizeOf = (elements: number): number => (pattern.length / noisePattern().length) * elements
    const longest = Math.max(...stored.map((parameter) => elementCount(parameter.shape)))
    const values = repeated(pattern, new Uint8Array(sizeOf(longest)))
    const tensors = stored.map(({ gguf: name, shape: size, kind }): GgufTensor => {
      const count = elementCount(size)
      return kind === 'norm'
        ? { name, shape: size, format: 'F32', data: ggufFormats.F32.encode(new Float32Array(count).fill(1)) }
        : { name, shape: size, format, data: values.subarray(0, sizeOf(count)) }
    })
    await writeGguf(path, ggufMetadata({ variant, shape, contextLength }), tensors)
  })

/** A prompt that says nothing. */
export const promptIds = (length: number): number[] =>
  Array.from({ length }, (_, i) => (i * 7919 + 13) % 150_000)
