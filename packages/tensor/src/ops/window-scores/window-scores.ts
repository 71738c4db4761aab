import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { windowScoresRef } from './window-scores.ref.ts'

const rules = new ShapeRules('windowScores')

export type WindowScoresSlots = {
  readonly ring: 'in'
  readonly keys: 'in'
  readonly count: 'in'
  readonly slotIndex: 'in'
  readonly seen: 'in'
}

export interface WindowScoresAttrs {
  /** Factor of the logits, 1/√D for the models here. */
  readonly scale: number
  /**
   * Columns of the softmax. `all`: per query head over every slot not newer than the query, then the mean over queries
   * and group. `candidates`: the largest logit of the group, over slots older than the window, then the mean over
   * queries; the window's own slots get 0.
   */
  readonly columns: 'all' | 'candidates'
  /** Weigh each query by the number of stored slots older than it, as if it attended to them evenly at 1 each (FINCH). */
  readonly timesVisible?: boolean
}

/**
 * How much the queries of the last `min(w, seen)` tokens attend to each stored slot.
 * - ring [B, w, Hq, D] f32 as `ringAppend` fills it; keys [B, H, cap, D] f32 | bf16 | f16 | f8
 * - count [B, H], slotIndex [B, H, cap], seen [B] i32
 * - out [B, H, cap] f32; 0 for free slots; each softmax is summed in f64
 * @throws TRIMKV_INVARIANT when a count lies outside 0 … cap or seen is negative
 */
export const windowScores: Op<WindowScoresSlots, WindowScoresAttrs, 'out'> = {
  name: 'windowScores',
  source:
    'SnapKV (arXiv:2404.14469) and TOVA (arXiv:2401.06104) as in kvpress; R-KV repository, r1_kv.py, for candidates; kvpress finch_press.py for timesVisible',
  slots: { ring: 'in', keys: 'in', count: 'in', slotIndex: 'in', seen: 'in' },
  outputs: ['out'],
  infer({ ring, keys, count, slotIndex, seen }, { scale }) {
    const size = rules.match<'B' | 'w' | 'Hq' | 'D' | 'H' | 'cap'>('ring', ring, ['B', 'w', 'Hq', 'D'])
    rules.with(size).match('keys', keys, ['B', 'H', 'cap', 'D'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('seen', seen, ['B'])
    rules.shape(size.w > 0, 'ring has no rows')
    rules.shape(
      size.H > 0 && size.Hq % size.H === 0,
      `${size.Hq} query heads do not divide into ${size.H} key heads`,
    )
    rules.dtype('ring', ring, 'f32')
    rules.dtype('keys', keys, ...floatDtypes)
    for (const [name, table] of Object.entries({ count, slotIndex, seen })) rules.dtype(name, table, 'i32')
    rules.option(Number.isFinite(scale), `scale must be a finite number, got ${scale}`)
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ scale, columns, timesVisible }) => [scale, columns === 'all' ? 0 : 1, timesVisible ? 1 : 0],
  reference: windowScoresRef,
  /** Counts are data, so all `cap` slots are taken as stored. */
  cost({ ring, keys }) {
    const [B, w, Hq, D] = ring.shape as [number, number, number, number]
    const [, H, cap] = keys.shape as [number, number, number, number]
    const perElement = keys.dtype === 'f32' ? 4 : 2
    return { flops: 2 * B * w * Hq * D * cap, bytes: B * H * cap * (D * perElement + 4) }
  },
}
