import { fail, type TensorLike } from '@trimkv/tensor'
import type { CacheShape } from './cache-shape.ts'
import type { HostView, RawQueries, Rotary } from './layer-view.ts'
import type { HostTokens } from './needs.ts'
import type { SlotSet } from './slot-set.ts'
import type { Storage } from './storage.ts'

/** Tensors of one layer as a policy in plain TypeScript reads them, and what identifies them in messages. */
export interface HostLayer<T> {
  readonly policy: string
  readonly layer: number
  readonly shape: CacheShape
  readonly slots: SlotSet<T>
  /** [B] i32 */
  readonly seen: T
  readonly ring: T | undefined
  readonly rawQueries: RawQueries<T> | undefined
  readonly rotary: Rotary<T> | undefined
}

/** Fails for a signal that no part of the policy declares. */
export function undeclared(policy: string, signal: string): never {
  return fail('TRIMKV_POLICY_CONTRACT', `[${policy}] ${signal} was not declared`, {
    hint: 'name it in the `needs` of the part that reads it',
  })
}

/** Reads each tensor once. */
function reader<T extends TensorLike>(storage: Storage<T>): (tensor: T) => Float32Array | Int32Array {
  const known = new Map<T, Float32Array | Int32Array>()
  return (tensor) => {
    const values = known.get(tensor) ?? storage.read(tensor)
    known.set(tensor, values)
    return values
  }
}

/** The last queries of one query head, oldest first, out of a ring in which token i is in row i mod w. */
function orderedQueries(
  ring: Float32Array,
  at: { seat: number; head: number; seen: number; dims: readonly number[] },
): Float32Array {
  const [, w, Hq, D] = at.dims as [number, number, number, number]
  const first = Math.max(0, at.seen - w)
  const out = new Float32Array((at.seen - first) * D)
  for (let token = first; token < at.seen; token++) {
    const row = ((at.seat * w + (token % w)) * Hq + at.head) * D
    out.set(ring.subarray(row, row + D), (token - first) * D)
  }
  return out
}

/** One view per sequence. */
export function hostViews<T extends TensorLike>(storage: Storage<T>, from: HostLayer<T>): HostView[] {
  const { shape, slots, layer } = from
  const { kvHeads: H, headDim: D } = shape
  const cap = slots.slotIndex.shape[2]!
  const read = reader(storage)
  const floats = (tensor: T): Float32Array => read(tensor) as Float32Array
  return Array.from({ length: slots.count.shape[0]! }, (_, seat): HostView => {
    const seen = read(from.seen)[seat]!
    const length = (head: number): number => read(slots.count)[seat * H + head]!
    const rows = (tensor: T, head: number): Float32Array => {
      const start = (seat * H + head) * cap * D
      return floats(tensor).subarray(start, start + length(head) * D)
    }
    const table = (tensor: T, head: number): Float32Array | Int32Array => {
      const start = (seat * H + head) * cap
      return read(tensor).subarray(start, start + length(head))
    }
    return {
      layer,
      seen,
      heads: H,
      queryHeads: shape.queryHeads,
      headDim: D,
      length,
      positions: (head) => table(slots.slotIndex, head) as Int32Array,
      keys: (head) => rows(slots.keys, head),
      values: (head) => rows(slots.values, head),
      column: (name, head) =>
        table(slots.columns[name] ?? undeclared(from.policy, `column "${name}"`), head) as Float32Array,
      queries: (head) => {
        const ring = from.ring ?? undeclared(from.policy, 'a window of queries')
        return orderedQueries(floats(ring), { seat, head, seen, dims: ring.shape })
      },
    }
  })
}

/** New tokens as tensors: [B, C] and [B, C, heads, D]. */
export interface TokenTensors<T> {
  readonly layer: number
  readonly index: T
  readonly q: T
  readonly k: T
  readonly v: T
}

/** Rows of one head out of [B, C, heads, D]. */
function headRows(
  all: Float32Array,
  at: { seat: number; head: number; dims: readonly number[] },
): Float32Array {
  const [, C, heads, D] = at.dims as [number, number, number, number]
  const out = new Float32Array(C * D)
  for (let c = 0; c < C; c++) {
    const row = ((at.seat * C + c) * heads + at.head) * D
    out.set(all.subarray(row, row + D), c * D)
  }
  return out
}

/** One list of new tokens per sequence. */
export function hostTokens<T extends TensorLike>(
  storage: Storage<T>,
  { layer, index, q, k, v }: TokenTensors<T>,
): HostTokens[] {
  const [B, C] = index.shape as [number, number]
  const read = reader(storage)
  return Array.from({ length: B }, (_, seat): HostTokens => {
    const rows = (tensor: T, head: number): Float32Array =>
      headRows(read(tensor) as Float32Array, { seat, head, dims: tensor.shape })
    return {
      layer,
      count: C,
      index: (read(index) as Int32Array).subarray(seat * C, (seat + 1) * C),
      keys: (head) => rows(k, head),
      values: (head) => rows(v, head),
      queries: (head) => rows(q, head),
    }
  })
}
