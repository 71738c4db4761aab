import { type DType, fail, type Ops, type TensorLike } from '@trimkv/tensor'
import type { LayerState } from './layer-state.ts'
import { meanSlots } from './ragged-plan.ts'
import { copySlots, seatSlots, tableList } from './slot-set.ts'
import { type SeatState, usedSlots } from './step-plan.ts'
import type { Storage } from './storage.ts'

/** What of a cache belongs to one sequence; the one place from which copies and files of sequences are made. */
export interface SeatAccess<T extends TensorLike> {
  readonly storage: Storage<T>
  readonly layers: readonly LayerState<T>[]
  readonly seat: number
  /** Whether slots stay in token order, which policies then rely on. */
  readonly inOrder: boolean
  readonly state: SeatState
  /** Replaces what the host knows of the sequence. */
  setState(state: SeatState): void
}

/** A cache that lets a seat be copied, saved and filled. */
export interface SeatHolder<T extends TensorLike> {
  seatAccess(seat: number): SeatAccess<T>
}

/** One tensor of a sequence, row-major, holding no empty slots; bf16 and f16 are read widened and written rounded. */
export interface SeatTensor {
  /** `layers.3.keys`, `layers.3.columns.mass` */
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  read(): Float32Array | Int32Array
  write(values: Float32Array | Int32Array): void
}

/** Slots filled: [layer][head]; heads may differ, layers may have different numbers of slots. */
export type SlotCounts = readonly Int32Array[]

/** A view for the time of one use. */
function withView<T extends TensorLike, R>(
  storage: Storage<T>,
  tensor: T,
  use: { readonly range: { axis: number; start: number; length: number }; readonly run: (view: T) => R },
): R {
  const view = storage.views.slice(tensor, use.range)
  try {
    return use.run(view)
  } finally {
    storage.dispose(view)
  }
}

const onSeat = <T extends TensorLike, R>(
  { storage, seat }: SeatAccess<T>,
  tensor: T,
  run: (rows: T) => R,
): R => withView(storage, tensor, { range: { axis: 0, start: seat, length: 1 }, run })

/** Runs for the filled slots of every head that has some: `at` is their first row among those of all heads. */
function eachHead<T extends TensorLike>(
  access: SeatAccess<T>,
  table: { readonly tensor: T; readonly counts: Int32Array },
  run: (slots: T, rows: { readonly at: number; readonly length: number }) => void,
): void {
  const { storage } = access
  let at = 0
  onSeat(access, table.tensor, (rows) => {
    for (const [head, length] of table.counts.entries()) {
      if (length === 0) continue
      const start = at
      withView(storage, rows, {
        range: { axis: 1, start: head, length: 1 },
        run: (one) =>
          withView(storage, one, {
            range: { axis: 2, start: 0, length },
            run: (slots) => run(slots, { at: start, length }),
          }),
      })
      at += length
    }
  })
}

const sum = (numbers: Int32Array): number => numbers.reduce((a, b) => a + b, 0)

/** A table [B, H, cap, …] of one seat as [filled slots of all heads, …]: heads one after the other. */
function slotTensor<T extends TensorLike>(
  access: SeatAccess<T>,
  table: { readonly name: string; readonly tensor: T; readonly counts: Int32Array },
): SeatTensor {
  const { name, tensor, counts } = table
  const row = tensor.shape.slice(3)
  const width = row.reduce((a, b) => a * b, 1)
  const total = sum(counts)
  return {
    name,
    dtype: tensor.dtype,
    shape: [total, ...row],
    read() {
      const all = tensor.dtype === 'i32' ? new Int32Array(total * width) : new Float32Array(total * width)
      eachHead(access, table, (slots, { at }) => all.set(access.storage.read(slots), at * width))
      return all
    },
    write(values) {
      eachHead(access, table, (slots, { at, length }) =>
        access.storage.write(slots, values.subarray(at * width, (at + length) * width)),
      )
    },
  }
}

/** A tensor [B, …] of one seat as […]. */
const wholeTensor = <T extends TensorLike>(
  access: SeatAccess<T>,
  { name, tensor }: { readonly name: string; readonly tensor: T },
): SeatTensor => ({
  name,
  dtype: tensor.dtype,
  shape: tensor.shape.slice(1),
  read: () => onSeat(access, tensor, (rows) => access.storage.read(rows)),
  write: (values) => onSeat(access, tensor, (rows) => access.storage.write(rows, values)),
})

function layerSeatTensors<T extends TensorLike>(
  access: SeatAccess<T>,
  at: { readonly layer: number; readonly counts: Int32Array },
): SeatTensor[] {
  const { slots, ring, victim } = access.layers[at.layer]!
  const prefix = `layers.${at.layer}`
  const { keys, values, slotIndex, count, columns } = slots
  const named = Object.entries(columns).map(([name, column]) => [`columns.${name}`, column] as const)
  const tables = [
    ['keys', keys] as const,
    ['values', values] as const,
    ['index', slotIndex] as const,
    ...named,
  ]
  return [
    wholeTensor(access, { name: `${prefix}.count`, tensor: count }),
    ...(victim ? [wholeTensor(access, { name: `${prefix}.victim`, tensor: victim })] : []),
    ...(ring ? [wholeTensor(access, { name: `${prefix}.ring`, tensor: ring })] : []),
    ...tables.map(([name, tensor]) =>
      slotTensor(access, { name: `${prefix}.${name}`, tensor, counts: at.counts }),
    ),
  ]
}

/** How many slots each head of a sequence fills, a victim that waits included. */
export function slotCounts<T extends TensorLike>(cache: SeatHolder<T>, seat: number): SlotCounts {
  const access = cache.seatAccess(seat)
  return access.layers.map(({ slots }) =>
    onSeat(access, slots.count, (rows) => access.storage.read(rows) as Int32Array),
  )
}

/** Counts that a cache of this layout can hold. @throws TRIMKV_POSITION_LIMIT */
function checkRoom<T extends TensorLike>({ layers }: SeatAccess<T>, counts: SlotCounts): void {
  for (const [layer, { slots }] of layers.entries()) {
    const room = slots.slotIndex.shape[2]!
    const most = Math.max(...counts[layer]!)
    if (most <= room) continue
    fail('TRIMKV_POSITION_LIMIT', `The sequence takes ${most} slots per head and the cache has ${room}`, {
      why: [`layer ${layer}`],
      hint: 'create the cache with a larger capacity',
      details: { layer, slots: room, taken: most },
    })
  }
}

/**
 * Everything one sequence holds in a cache, tensor by tensor: keys, values, indices, columns, counts, victims, the window of
 * queries. The state of a policy is in these and in the seat's counters, so that copies are right for every policy.
 */
export function seatTensors<T extends TensorLike>(cache: SeatHolder<T>, seat: number): SeatTensor[] {
  const access = cache.seatAccess(seat)
  return slotCounts(cache, seat).flatMap((counts, layer) => layerSeatTensors(access, { layer, counts }))
}

/**
 * The tensors of a seat that is to hold what `counts` says: all must be written, then `state` makes it the sequence's.
 * @throws TRIMKV_POSITION_LIMIT when it does not fit; `finish`: TRIMKV_FORMAT when counts, victims, indices and state contradict each other
 */
export function seatToFill<T extends TensorLike>(
  cache: SeatHolder<T>,
  seat: number,
  counts: SlotCounts,
): { readonly tensors: readonly SeatTensor[]; readonly finish: (state: SeatState) => void } {
  const access = cache.seatAccess(seat)
  checkRoom(access, counts)
  const tensors = access.layers.flatMap((_, layer) =>
    layerSeatTensors(access, { layer, counts: counts[layer]! }),
  )
  return {
    tensors,
    finish(state) {
      checkFilled(access, { state, counts })
      const { seen, stored, victimWaits, pinned } = state
      const heads = access.state.heads && counts.flatMap((layer) => [...layer])
      access.setState({
        seen,
        victimWaits,
        pinned,
        stored,
        ...(heads && { heads, stored: meanSlots(heads) }),
      })
    },
  }
}

/** Whether slots hold tokens of the sequence, none twice. */
function holdTokens(indices: Int32Array, { seen, inOrder }: { seen: number; inOrder: boolean }): boolean {
  const tokens = inOrder ? indices : indices.slice().sort()
  return tokens.every((token, i) => token >= 0 && token < seen && (i === 0 || token > tokens[i - 1]!))
}

function isLayerSound<T extends TensorLike>(
  access: SeatAccess<T>,
  {
    layer,
    counts,
    state,
  }: { readonly layer: number; readonly counts: Int32Array; readonly state: SeatState },
): boolean {
  const { victim, slots } = access.layers[layer]!
  const { seen, victimWaits } = state
  // Heads of equal length are planned by what the state says of all of them.
  const isLength = (count: number): boolean =>
    access.state.heads ? count >= 0 && count <= seen : count === usedSlots(state) && count <= seen
  if (!counts.every(isLength)) return false
  const victims = victim && onSeat(access, victim, (rows) => access.storage.read(rows))
  const isVictim = (count: number, head: number): boolean => {
    const waits = victims?.[head] ?? -1
    return victimWaits ? waits >= 0 && waits < count : waits === -1
  }
  if (!counts.every(isVictim)) return false
  const indices = slotTensor(access, { name: 'index', tensor: slots.slotIndex, counts }).read() as Int32Array
  const ends = Array.from(counts, (_, head) => sum(counts.subarray(0, head + 1)))
  return ends.every((end, head) =>
    holdTokens(indices.subarray(end - counts[head]!, end), { seen, inOrder: access.inOrder }),
  )
}

/** What comes from a file must be what a cache could have written: forwards rely on it. @throws TRIMKV_FORMAT */
function checkFilled<T extends TensorLike>(
  access: SeatAccess<T>,
  { state, counts }: { readonly state: SeatState; readonly counts: SlotCounts },
): void {
  const { seen, stored, pinned } = state
  const isSound =
    [seen, pinned].every((n) => Number.isSafeInteger(n) && n >= 0) &&
    stored >= 0 &&
    stored <= seen &&
    counts.every((heads, layer) => isLayerSound(access, { layer, counts: heads, state }))
  if (!isSound) fail('TRIMKV_FORMAT', 'The sequence contradicts itself', { details: { ...state } })
}

/** A copy of a sequence into another seat of the same or another cache of the same model, policy and storage. */
export interface SeatCopy<T extends TensorLike> {
  readonly from: SeatHolder<T>
  readonly fromSeat: number
  readonly to: SeatHolder<T>
  readonly toSeat: number
}

/**
 * Emits the copy of all filled slots; {@link finishSeatCopy} must follow once it has run.
 * @throws TRIMKV_POSITION_LIMIT when they do not fit
 */
export function copySeatSlots<T extends TensorLike>(ops: Ops<T>, copy: SeatCopy<T>): void {
  const from = copy.from.seatAccess(copy.fromSeat)
  const to = copy.to.seatAccess(copy.toSeat)
  checkRoom(to, slotCounts(copy.from, copy.fromSeat))
  for (const [layer, { slots }] of from.layers.entries()) {
    copySlots(ops, {
      from: seatSlots(ops, slots, { first: from.seat, count: 1 }),
      to: seatSlots(ops, to.layers[layer]!.slots, { first: to.seat, count: 1 }),
    })
  }
}

/** Copies the rest of a sequence: counts, victims, the window of queries and the counters of the host. */
export function finishSeatCopy<T extends TensorLike>(copy: SeatCopy<T>): void {
  const from = copy.from.seatAccess(copy.fromSeat)
  const to = copy.to.seatAccess(copy.toSeat)
  for (const [layer, source] of from.layers.entries()) {
    const target = to.layers[layer]!
    const pairs = [
      [source.slots.count, target.slots.count],
      [source.victim, target.victim],
      [source.ring, target.ring],
    ] as const
    for (const [a, b] of pairs) {
      if (!a || !b) continue
      const values = onSeat(from, a, (rows) => from.storage.read(rows))
      onSeat(to, b, (rows) => to.storage.write(rows, values))
    }
  }
  to.setState(from.state)
}

/** Whether the sequence can be cut back to its first tokens: nothing was dropped, and no number depends on later tokens. */
export function canTruncate<T extends TensorLike>(cache: SeatHolder<T>, seat: number): boolean {
  const { state, layers } = cache.seatAccess(seat)
  const lookedBack = layers.some(({ slots, ring }) => ring !== undefined || 'mass' in slots.columns)
  return state.seen === state.stored && !state.victimWaits && !lookedBack
}

/**
 * Forgets all but the first `tokens` tokens of a sequence that {@link canTruncate}: the cache is then as if no more had been read.
 * @throws TRIMKV_INVARIANT for a sequence that cannot be cut back
 */
export function truncateSeat<T extends TensorLike>(cache: SeatHolder<T>, seat: number, tokens: number): void {
  const access = cache.seatAccess(seat)
  const { state, storage, layers } = access
  if (!canTruncate(cache, seat) || tokens > state.seen) {
    fail('TRIMKV_INVARIANT', `a sequence of ${state.seen} tokens cannot be cut back to ${tokens}`)
  }
  // With nothing dropped, slot i holds token i in every head.
  for (const { slots } of layers) {
    onSeat(access, slots.count, (count) => {
      storage.write(count, new Int32Array(count.shape[1]!).fill(tokens))
      // Where heads differ, memory is held page by page for the slots in use.
      if (!state.heads) return
      for (const table of tableList(slots)) onSeat(access, table, (data) => storage.clearSlots(data, count))
    })
  }
  const heads = state.heads?.map(() => tokens)
  access.setState({ ...state, seen: tokens, stored: tokens, ...(heads && { heads }) })
}
