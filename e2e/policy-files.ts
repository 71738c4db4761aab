import { join } from 'node:path'
import { type Model, queryFilters } from '@trimkv/engine'
import { type TensorToWrite, writeSafetensors } from '@trimkv/io'

const bytesOf = (data: Float32Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

/** Numbers between −1 and 1 that look random, the same in every run. */
export const waveNumbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(12.9898 * (i + 1) + seed))

/** Options with which a policy that reads a file finds one made for a model; nothing for the others. */
export type FileOptions = (policy: string) => string

/**
 * Makes the files that policies read, for a model: Q-Filters of some ids, and networks of eight units for `kvzap`. With a
 * threshold of 0 these drop about half of the tokens.
 */
export async function policyFiles(
  model: Model,
  at: { readonly folder: string; readonly ids: readonly number[]; readonly threshold: number },
): Promise<FileOptions> {
  const { folder, ids, threshold } = at
  const filters = join(folder, 'q-filters.safetensors')
  const { shape, data } = await queryFilters(model, [{ ids: [...ids] }])
  await writeSafetensors(filters, { q_filters: { dtype: 'f32', shape, data: bytesOf(data) } })
  const networks = join(folder, 'kvzap.safetensors')
  const { layers, hiddenSize, kvHeads } = model.spec
  const units = 8
  const tensors: Record<string, TensorToWrite> = {}
  for (let layer = 0; layer < layers; layer++) {
    const add = (name: string, ...size: number[]): void => {
      const numbers = waveNumbers(
        size.reduce((a, b) => a * b, 1),
        layer + size.length,
      )
      tensors[`layers.${layer}.${name}`] = { dtype: 'f32', shape: size, data: bytesOf(numbers) }
    }
    add('0.weight', units, hiddenSize)
    add('0.bias', units)
    add('2.weight', kvHeads, units)
    add('2.bias', kvHeads)
  }
  await writeSafetensors(networks, tensors)
  const options: Readonly<Record<string, string>> = {
    'q-filters': `:filters=${filters}`,
    kvzap: `:weights=${networks},units=${units},threshold=${threshold},window=4`,
  }
  return (policy) => options[policy] ?? ''
}
