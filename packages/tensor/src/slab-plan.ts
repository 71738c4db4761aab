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

interface Placed extends Lifetime {
  readonly offset: number
}

const alignment = 64
const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment

/** The smallest gap that fits between buffers in use at the same time; above them all when there is none. */
function bestOffset(buffer: Lifetime, placedByOffset: readonly Placed[]): number {
  let best: number | undefined
  let bestSize = Number.POSITIVE_INFINITY
  let end = 0
  for (const other of placedByOffset) {
    if (other.last < buffer.first || buffer.last < other.first) continue
    const gap = other.offset - end
    if (gap >= buffer.bytes && gap < bestSize) {
      best = end
      bestSize = gap
    }
    end = Math.max(end, aligned(other.offset + other.bytes))
  }
  return best ?? end
}

/**
 * Packs buffers into one slab so that two share bytes only when they are never in use at the same time.
 * Largest first, each into the best-fitting gap.
 */
export function planSlab(buffers: readonly Lifetime[]): SlabPlan {
  const offsets = new Array<number>(buffers.length).fill(0)
  const placed: Placed[] = []
  const order = [...buffers.keys()].sort((a, b) => buffers[b]!.bytes - buffers[a]!.bytes || a - b)
  let bytes = 0
  for (const index of order) {
    const buffer = buffers[index]!
    if (buffer.bytes === 0) continue
    const offset = bestOffset(buffer, placed)
    offsets[index] = offset
    bytes = Math.max(bytes, aligned(offset + buffer.bytes))
    const at = placed.findIndex((other) => other.offset > offset)
    placed.splice(at < 0 ? placed.length : at, 0, { ...buffer, offset })
  }
  return { offsets, bytes }
}
