import type { DType, Ops } from '@trimkv/tensor'
import type { StoredWeight } from './decoder-weights.ts'

/** A tensor that a checkpoint offers: an entry of `@trimkv/io`, or the spec of one made in memory. */
export interface WeightEntry {
  /** Undefined when the file holds an element type that no op takes. */
  readonly dtype: DType | undefined
  /** The element type as the file names it, for messages. */
  readonly fileDtype?: string
  readonly shape: readonly number[]
}

/** How needed weights become tensors. */
export interface WeightSource<T, E extends WeightEntry> {
  readonly ops: Pick<Ops<T>, 'slice'>
  /** Called once per stored tensor. */
  readonly load: (entry: E, name: string) => T
}

const text = (shape: readonly number[]): string => `[${shape.join(', ')}]`

function difference({ name, shape }: StoredWeight, entry: WeightEntry | undefined): string | undefined {
  if (!entry) return `${name} ${text(shape)} is missing`
  if (text(entry.shape) !== text(shape)) return `${name} is ${text(entry.shape)}, expected ${text(shape)}`
  if (entry.dtype !== undefined && entry.dtype !== 'i32') return undefined
  return `${name} is ${entry.fileDtype ?? entry.dtype}, expected f32, bf16 or f16`
}

/** Every stored tensor once, however many weights it holds. */
export function uniqueStored(weights: readonly StoredWeight[]): StoredWeight[] {
  return [...new Map(weights.map((weight) => [weight.name, weight])).values()]
}

/** What is missing, unusable or left over, one line each, in the order of the forward pass. */
export function weightDifferences(
  needed: readonly StoredWeight[],
  entries: ReadonlyMap<string, WeightEntry>,
  isIgnored: (name: string) => boolean,
): string[] {
  const stored = uniqueStored(needed)
  const names = new Set(stored.map(({ name }) => name))
  const leftOver = [...entries.keys()].filter((name) => !names.has(name) && !isIgnored(name))
  return [
    ...stored
      .map((weight) => difference(weight, entries.get(weight.name)))
      .filter((line) => line !== undefined),
    ...leftOver.map((name) => `${name} ${text(entries.get(name)?.shape ?? [])} has no place in this model`),
  ]
}

/** The first lines of a long list, and how many were left out. */
export function firstLines(lines: readonly string[], limit = 8): string[] {
  const rest = lines.length - limit
  return rest > 0 ? [...lines.slice(0, limit), `and ${rest} more`] : [...lines]
}

/** Loads stored tensors once and takes the wanted rows of them as views. */
export function storedLoader<T, E extends WeightEntry>(
  entries: ReadonlyMap<string, E>,
  { ops, load }: WeightSource<T, E>,
): (weight: StoredWeight) => T {
  const loaded = new Map<string, T>()
  return ({ name, rows }) => {
    const tensor = loaded.get(name) ?? load(entries.get(name) as E, name)
    loaded.set(name, tensor)
    return rows ? ops.slice(tensor, { axis: 0, ...rows }) : tensor
  }
}
