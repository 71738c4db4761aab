import type { TensorLike } from '@trimkv/tensor'
import type { LayerState } from './layer-state.ts'
import { seatRows } from './slot-set.ts'
import type { Storage } from './storage.ts'

/** Reads one seat's rows, and of these the first `used` slots where `used` is given. */
function readSeat<T extends TensorLike>(
  storage: Storage<T>,
  tensor: T,
  at: { seat: number; used?: number },
): Int32Array {
  const rows = seatRows(storage.views, tensor, { first: at.seat, count: 1 })
  const part =
    at.used === undefined ? rows : storage.views.slice(rows, { axis: 2, start: 0, length: at.used })
  const values = storage.read(part) as Int32Array
  if (part !== rows) storage.dispose(part)
  if (rows !== tensor) storage.dispose(rows)
  return values
}

/** Indices of the tokens one seat keeps in one layer, ascending: [head]. */
export function storedPositions<T extends TensorLike>(
  storage: Storage<T>,
  { slots, victim }: LayerState<T>,
  at: { readonly seat: number; readonly used: number },
): number[][] {
  const count = readSeat(storage, slots.count, { seat: at.seat })
  const victims = victim && readSeat(storage, victim, { seat: at.seat })
  const index = readSeat(storage, slots.slotIndex, at)
  return Array.from(count, (n, head) => {
    const row = Array.from(index.subarray(head * at.used, head * at.used + n))
    return row.filter((_, slot) => slot !== victims?.[head]).sort((a, b) => a - b)
  })
}
