import type { Ops, TensorLike } from '@trimkv/tensor'
import { budgetFor, type CapacityLoss } from './losses.ts'

/** Occupancy of every head and what it costs. */
export interface GateCapacity<T> {
  /** [B, T, L · H] */
  readonly occupancy: T
  /** [1], before its factor λ; absent when the losses have no such term */
  readonly loss?: T
}

/** Occupancy of a gated forward, all layers side by side, and the capacity term over it. */
export function gateCapacity<T extends TensorLike>(
  ops: Ops<T>,
  { logBeta, starts }: { logBeta: readonly T[]; starts: T },
  capacity: CapacityLoss | undefined,
): GateCapacity<T> {
  const [batch, length] = starts.shape as [number, number]
  const layers = logBeta.map((layer) => {
    const occupancy = ops.occupancy({ logBeta: layer, start: starts })
    return ops.reshape(occupancy, [batch * length, 1, layer.shape[2] as number])
  })
  const all = layers.reduce((a, b) => ops.concatLast({ a, b }))
  const occupancy = ops.reshape(all, [batch, length, all.shape[2] as number])
  if (!capacity) return { occupancy }
  const { scope, form } = capacity
  const { loss } = ops.capacity(
    { occupancy, start: starts },
    { budget: budgetFor(capacity, length), scope, form },
  )
  return { occupancy, loss }
}

/** Mean occupancy of all heads at the last token of every labelled document, in tokens. */
export function finalOccupancy(
  occupancy: ArrayLike<number>,
  { starts, labels, length }: { starts: Int32Array; labels: Int32Array; length: number },
): number {
  const heads = occupancy.length / starts.length
  let sum = 0
  let documents = 0
  let labelled = false
  for (let n = 0; n < starts.length; n++) {
    labelled ||= labels[n] !== -100
    const isLast = (n + 1) % length === 0 || starts[n + 1] !== starts[n]
    if (!isLast) continue
    if (labelled) {
      for (let h = 0; h < heads; h++) sum += occupancy[n * heads + h]!
      documents++
    }
    labelled = false
  }
  return documents > 0 ? sum / (documents * heads) : 0
}
