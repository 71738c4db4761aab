import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { poolRef } from './pool.ref.ts'

const rules = new ShapeRules('pool')

export type PoolSlots = {
  readonly scores: 'in'
  readonly count: 'in'
  readonly slotIndex: 'in'
  readonly seen: 'in'
}

export interface PoolAttrs {
  /** Width of the window, odd. */
  readonly kernel: number
  /** `avg` counts the zeros of the padding, `max` pads with −∞. */
  readonly kind: 'max' | 'avg'
  /** Slots of the last `exclude` tokens are no candidates: copied, and invisible to the others. */
  readonly exclude: number
}

/**
 * Smooths scores over neighbouring slots: one-dimensional pooling in slot order, stride 1, over the slots of tokens older
 * than the last `exclude`.
 * - scores [B, H, cap] f32; count [B, H], slotIndex [B, H, cap], seen [B] i32; slots must be in token order
 * - out [B, H, cap] f32; other slots are copied
 * @throws TRIMKV_INVARIANT when slots are not in ascending token order or a count lies outside 0 … cap
 */
export const pool: Op<PoolSlots, PoolAttrs, 'out'> = {
  name: 'pool',
  source: 'SnapKV (arXiv:2404.14469), clustering by pooling',
  slots: { scores: 'in', count: 'in', slotIndex: 'in', seen: 'in' },
  outputs: ['out'],
  infer({ scores, count, slotIndex, seen }, { kernel, exclude }) {
    const size = rules.match<'B' | 'H' | 'cap'>('scores', scores, ['B', 'H', 'cap'])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.with(size).match('slotIndex', slotIndex, ['B', 'H', 'cap'])
    rules.with(size).match('seen', seen, ['B'])
    rules.dtype('scores', scores, 'f32')
    for (const [name, table] of Object.entries({ count, slotIndex, seen })) rules.dtype(name, table, 'i32')
    rules.option(
      Number.isInteger(kernel) && kernel % 2 === 1 && kernel > 0,
      `kernel must be odd and positive, got ${kernel}`,
    )
    rules.option(Number.isInteger(exclude) && exclude >= 0, `exclude must be an integer ≥ 0, got ${exclude}`)
    return { out: { dtype: 'f32', shape: [size.B, size.H, size.cap] } }
  },
  scalars: ({ kernel, kind, exclude }) => [kernel, kind === 'max' ? 0 : 1, exclude],
  reference: poolRef,
}
