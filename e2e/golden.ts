import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openSafetensors, readTensorData, readTensorIntegers } from '@trimkv/io'
import { closeness } from '@trimkv/testing'

const folder = dirname(fileURLToPath(import.meta.url))

/** A path below the recorded fixtures. */
export const goldenPath = (...parts: string[]): string => join(folder, 'golden', ...parts)

export const goldenJson = (...parts: string[]): never =>
  JSON.parse(readFileSync(goldenPath(...parts), 'utf8')) as never

/** Recorded tensors of one file. */
export async function goldenTensors(...parts: string[]): Promise<{
  floats(name: string): Promise<Float32Array>
  ids(name: string): Promise<number[]>
  has(name: string): boolean
}> {
  const { tensors } = await openSafetensors(goldenPath(...parts))
  const entry = (name: string) => {
    const found = tensors.get(name)
    if (!found) throw new Error(`${parts.join('/')} has no tensor ${name}`)
    return found
  }
  return {
    floats: (name) => readTensorData(entry(name)),
    ids: async (name) => Array.from(await readTensorIntegers(entry(name))),
    has: (name) => tensors.has(name),
  }
}

/** Largest difference over the bound for recorded logits, `2e-4 · max(1, largest recorded)`: 1 or less passes. */
export function logitError(actual: ArrayLike<number>, recorded: Float32Array): number {
  const bound = 2e-4 * recorded.reduce((most, value) => Math.max(most, Math.abs(value)), 1)
  const { largest, mismatch } = closeness(actual, recorded)
  return mismatch === undefined ? largest / bound : Number.POSITIVE_INFINITY
}

/** Models with recorded logits, all families and shapes. */
export const goldenModels = [
  'qwen3',
  'qwen3-untied',
  'qwen2',
  'llama',
  'llama-plain',
  'phi3',
  'phi3-longrope',
] as const
