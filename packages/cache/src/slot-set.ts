import type { Ops, TensorLike } from '@trimkv/tensor'

/** Everything that moves with a slot: B sequences, H heads, `cap` slots. */
export interface SlotTables<T> {
  /** [B, H, cap, D] */
  readonly keys: T
  /** [B, H, cap, D] */
  readonly values: T
  /** [B, H, cap] i32 */
  readonly slotIndex: T
  /** Each [B, H, cap] f32. */
  readonly columns: Readonly<Record<string, T>>
}

/** What one layer stores: tables, and how many of their slots are filled. */
export interface SlotSet<T> extends SlotTables<T> {
  /** [B, H] i32 */
  readonly count: T
}

/** Consecutive seats of a batch. */
export interface SeatRange {
  readonly first: number
  readonly count: number
}

/** A tensor's rows of some seats; the tensor itself when these are all. */
export const seatRows = <T extends TensorLike>(ops: Pick<Ops<T>, 'slice'>, tensor: T, seats: SeatRange): T =>
  seats.first === 0 && seats.count === tensor.shape[0]
    ? tensor
    : ops.slice(tensor, { axis: 0, start: seats.first, length: seats.count })

/** The same slots, of some seats only. */
export function seatSlots<T extends TensorLike>(
  ops: Pick<Ops<T>, 'slice'>,
  set: SlotSet<T>,
  seats: SeatRange,
): SlotSet<T> {
  const rows = (tensor: T): T => seatRows(ops, tensor, seats)
  return { ...mapTables(set, rows), count: rows(set.count) }
}

/** The tables as a list, in an order that depends on the names of the columns only. */
export const tableList = <T>({ keys, values, slotIndex, columns }: SlotTables<T>): T[] => [
  keys,
  values,
  slotIndex,
  ...Object.keys(columns)
    .sort()
    .map((name) => columns[name]!),
]

/** Makes tables out of tables, one by one. */
export const mapTables = <A, B>(tables: SlotTables<A>, make: (table: A) => B): SlotTables<B> => ({
  keys: make(tables.keys),
  values: make(tables.values),
  slotIndex: make(tables.slotIndex),
  columns: Object.fromEntries(Object.entries(tables.columns).map(([name, column]) => [name, make(column)])),
})

/** Which slots survive: `kept` [B, H, budget] i32 as `select` gives it; without it all of them. */
export interface SlotMove<T> {
  readonly from: SlotSet<T>
  readonly to: SlotTables<T>
  readonly kept?: T
}

/** Copies slots to the front of another set; counts are left to the caller. */
export function copySlots<T extends TensorLike>(ops: Ops<T>, { from, to, kept }: SlotMove<T>): void {
  const target = tableList(to)
  tableList(from).forEach((table, i) => {
    ops.moveSlots({ from: table, to: target[i]!, count: from.count, ...(kept && { kept }) })
  })
}

/** Drops all slots but those kept, in place. */
export function keepSlots<T extends TensorLike>(
  ops: Ops<T>,
  set: SlotSet<T>,
  choice: { kept: T; ordered: boolean },
): void {
  const { kept, ordered } = choice
  for (const data of tableList(set)) ops.compact({ kept, count: set.count, data }, { ordered })
  ops.countKept({ kept, count: set.count })
}
