import { dtypeBytes, type TensorLike, type TensorSpec } from '@trimkv/tensor'
import type { Allocator } from './allocated.ts'
import type { CacheShape, KvDType } from './cache-shape.ts'
import { type LayerSizes, type LayerState, tableSpecs } from './layer-state.ts'
import { mapTables, type SeatRange, seatRows, tableList } from './slot-set.ts'
import type { EvictionRules } from './step-plan.ts'
import type { Storage } from './storage.ts'

/**
 * What heads that keep different numbers of slots share. All slot tables are reserved: every head has address space for
 * `cap` slots and takes memory, page by page, for those it fills. P = L · H heads, layer by layer.
 */
export interface RaggedTables<T> {
  /** [B, P] i32; the `count` of a layer is a window on it. */
  readonly count: T
  /** [B, P, cap] i32; likewise. */
  readonly slotIndex: T
  /** [B, P] i32, zeros. */
  readonly none: T
  /** Scores of all layers [B, P, cap] f32 while a forward waits for its last layer; empty between forwards. */
  readonly scores: T | undefined
  /** Slots each head keeps [B, P] i32, where that is known beforehand. */
  readonly quota: T | undefined
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b))

/** Slots after which every table of a head ends with a page. */
export function raggedPageSlots(
  pageBytes: number,
  { shape, kvDtype = 'f32' }: { readonly shape: CacheShape; readonly kvDtype?: KvDType },
): number {
  const rows = [dtypeBytes('i32'), shape.headDim * dtypeBytes(kvDtype)]
  return Math.max(...rows.map((bytes) => pageBytes / greatestDivisor(pageBytes, bytes)))
}

/** The heads of one layer in a table of all heads. */
export const layerHeads = <T extends TensorLike>(
  views: Storage<T>['views'],
  table: T,
  at: { readonly layer: number; readonly heads: number },
): T => views.slice(table, { axis: 1, start: at.layer * at.heads, length: at.heads })

/** Allocates all layers. */
export function createRaggedLayers<T extends TensorLike>(
  storage: Allocator<T>,
  sizes: LayerSizes,
  { rules, budgets }: { readonly rules: EvictionRules; readonly budgets: readonly number[] | undefined },
): { readonly layers: LayerState<T>[]; readonly tables: RaggedTables<T> } {
  const { shape, batch, slots, needs } = sizes
  const H = shape.kvHeads
  const P = shape.layers * H
  const perHead: TensorSpec = { dtype: 'i32', shape: [batch, P] }
  const quota = budgets && storage.zeros(perHead)
  if (quota)
    storage.write(
      quota,
      Int32Array.from({ length: batch * P }, (_, i) => budgets[i % P]!),
    )
  const tables: RaggedTables<T> = {
    count: storage.zeros(perHead),
    slotIndex: storage.reserve({ dtype: 'i32', shape: [batch, P, slots] }),
    none: storage.zeros(perHead),
    scores: rules.ragged?.afterLastLayer
      ? storage.reserve({ dtype: 'f32', shape: [batch, P, slots] })
      : undefined,
    quota,
  }
  const specs = tableSpecs(sizes)
  const layers = Array.from({ length: shape.layers }, (_, layer): LayerState<T> => {
    const own = (table: T): T => layerHeads(storage.views, table, { layer, heads: H })
    const { keys, values, columns } = mapTables(specs, (spec) =>
      spec === specs.slotIndex ? tables.slotIndex : storage.reserve(spec),
    )
    const ring: TensorSpec | undefined =
      needs.window === undefined
        ? undefined
        : { dtype: 'f32', shape: [batch, needs.window, shape.queryHeads, shape.headDim] }
    return {
      slots: { keys, values, columns, slotIndex: own(tables.slotIndex), count: own(tables.count) },
      ring: ring && storage.zeros(ring),
      victim: undefined,
    }
  })
  return { layers, tables }
}

/** Empties some seats and gives their memory back. */
export function clearSeats<T extends TensorLike>(
  storage: Storage<T>,
  { layers, tables }: { readonly layers: readonly LayerState<T>[]; readonly tables: RaggedTables<T> },
  seats: SeatRange,
): void {
  const rowsOf = (tensor: T, use: (rows: T) => void): void => {
    const rows = seatRows(storage.views, tensor, seats)
    use(rows)
    if (rows !== tensor) storage.dispose(rows)
  }
  rowsOf(tables.count, (rows) => storage.write(rows, new Int32Array(rows.shape[0]! * rows.shape[1]!)))
  const { scores, none } = tables
  if (scores) rowsOf(scores, (data) => rowsOf(none, (count) => storage.clearSlots(data, count)))
  for (const { slots } of layers)
    rowsOf(slots.count, (count) => {
      for (const table of tableList(slots)) rowsOf(table, (data) => storage.clearSlots(data, count))
    })
}

/** Tensors beside those of the layers. */
export const raggedTensors = <T>({ count, slotIndex, none, scores, quota }: RaggedTables<T>): T[] =>
  [count, slotIndex, none, scores, quota].filter((tensor) => tensor !== undefined)
