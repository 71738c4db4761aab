/** When a buffer is in use: from the command that writes it first to the one that reads it last, both included. */
export interface Lifetime {
  readonly bytes: number
  readonly first: number
  readonly last: number
}

export interface SlabPlan {
  /** Byte offset of each buffer, in the order given; multiples of 64. */
  readonly offsets: readonly number[]
  readonly bytes: number
}

const alignment = 64
const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment

/**
 * Packs buffers into one slab so that two share bytes only when they are never in use at the same time.
 * Largest first, each into the smallest gap that fits between those in use with it, else above them.
 */
export function planSlab(buffers: readonly Lifetime[]): SlabPlan {
  // Columns of numbers: programs have thousands of buffers, and every pair of them is looked at.
  const first = Float64Array.from(buffers, (buffer) => buffer.first)
  const last = Float64Array.from(buffers, (buffer) => buffer.last)
  const size = Float64Array.from(buffers, (buffer) => aligned(buffer.bytes))
  const offsets = new Float64Array(buffers.length)
  /** Those that have a place, by offset. */
  const placed: number[] = []

  const place = (index: number): void => {
    let best = Number.NaN
    let smallest = Number.POSITIVE_INFINITY
    let end = 0
    for (const other of placed) {
      if (last[other]! < first[index]! || last[index]! < first[other]!) continue
      const gap = offsets[other]! - end
      if (gap >= size[index]! && gap < smallest) {
        best = end
        smallest = gap
      }
      end = Math.max(end, offsets[other]! + size[other]!)
    }
    const offset = Number.isNaN(best) ? end : best
    offsets[index] = offset
    const at = placed.findIndex((other) => offsets[other]! > offset)
    placed.splice(at < 0 ? placed.length : at, 0, index)
  }

  const order = [...buffers.keys()].sort((a, b) => size[b]! - size[a]! || a - b)
  for (const index of order) if (size[index]! > 0) place(index)
  const bytes = placed.reduce((most, index) => Math.max(most, offsets[index]! + size[index]!), 0)
  return { offsets: [...offsets], bytes }
}
