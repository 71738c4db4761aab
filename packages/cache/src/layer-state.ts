import type { TensorLike, TensorSpec } from '@trimkv/tensor'
import type { Allocator } from './allocated.ts'
import type { CacheShape, KvDType } from './cache-shape.ts'
import type { PolicyNeeds } from './needs.ts'
import { mapTables, type SlotSet, type SlotTables, tableList } from './slot-set.ts'

/** What a cache keeps of one layer for all seats. */
export interface LayerState<T> {
  readonly slots: SlotSet<T>
  /** Queries of the last w tokens [B, w, Hq, D] f32. */
  readonly ring: T | undefined
  /** Slot that the next token overwrites [B, H] i32, −1 for none. */
  readonly victim: T | undefined
}

/** What decides how large a layer is. */
export interface LayerSizes {
  readonly shape: CacheShape
  readonly kvDtype: KvDType
  readonly batch: number
  /** Slots per head. */
  readonly slots: number
  readonly needs: PolicyNeeds
}

/** Specs of the slot tables of a layer. */
export function tableSpecs({ shape, kvDtype, batch, slots, needs }: LayerSizes): SlotTables<TensorSpec> {
  const table = [batch, shape.kvHeads, slots]
  const rows: TensorSpec = { dtype: kvDtype, shape: [...table, shape.headDim] }
  const column: TensorSpec = { dtype: 'f32', shape: table }
  return {
    keys: rows,
    values: rows,
    slotIndex: { dtype: 'i32', shape: table },
    columns: Object.fromEntries(Object.keys(needs.columns).map((name) => [name, column])),
  }
}

/** Allocates one layer. `reserved`: slot tables take memory only as they fill. */
export function createLayer<T extends TensorLike>(
  storage: Allocator<T>,
  sizes: LayerSizes,
  how: { readonly reserved: boolean; readonly findsVictim: boolean },
): LayerState<T> {
  const { batch, shape, needs } = sizes
  const heads: TensorSpec = { dtype: 'i32', shape: [batch, shape.kvHeads] }
  const tables = mapTables(tableSpecs(sizes), (spec) =>
    how.reserved ? storage.reserve(spec) : storage.zeros(spec),
  )
  const slots = { ...tables, count: storage.zeros(heads) }
  const ring: TensorSpec | undefined =
    needs.window === undefined
      ? undefined
      : { dtype: 'f32', shape: [batch, needs.window, shape.queryHeads, shape.headDim] }
  const victim = how.findsVictim ? storage.zeros(heads) : undefined
  if (victim) storage.write(victim, new Int32Array(batch * shape.kvHeads).fill(-1))
  return { slots, ring: ring && storage.zeros(ring), victim }
}

/** All tensors of a layer. */
export const layerTensors = <T>({ slots, ring, victim }: LayerState<T>): T[] => [
  ...tableList(slots),
  slots.count,
  ...(ring === undefined ? [] : [ring]),
  ...(victim === undefined ? [] : [victim]),
]
