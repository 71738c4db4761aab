import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { moveSlotsRef } from './move-slots.ref.ts'

const rules = new ShapeRules('moveSlots')

export type MoveSlotsSlots = {
  readonly from: 'in'
  readonly to: 'inout'
  readonly count: 'in'
  readonly kept: 'optional'
}

/**
 * Copies slots from one table to another of a different capacity: `to[j] = from[kept[j]]`, or the first `count` rows
 * where no `kept` is given. Other rows of `to` stay as they are.
 * - from [B, H, capA, W] or [B, H, capA], to [B, H, capB, W] or [B, H, capB], of one dtype; rows may be strided
 * - count [B, H] i32, slots stored in `from`; kept [B, H, budget] i32 as `select` returns it
 * @throws TRIMKV_INVARIANT when `to` is too small, or kept is not ascending or names a slot outside 0 … count−1
 */
export const moveSlots: Op<MoveSlotsSlots, Record<never, never>, never> = {
  name: 'moveSlots',
  source:
    'SnapKV (arXiv:2404.14469): a long prompt is cut once, then decoding goes on in a cache of fixed size',
  slots: { from: 'in', to: 'inout', count: 'in', kept: 'optional' },
  outputs: [],
  infer({ from, to, count, kept }) {
    const row = from.shape.length === 3 ? [] : (['W'] as const)
    const size = rules.match<'B' | 'H' | 'capA' | 'capB' | 'W' | 'budget'>('from', from, [
      'B',
      'H',
      'capA',
      ...row,
    ])
    rules.with(size).match('to', to, ['B', 'H', 'capB', ...row])
    rules.with(size).match('count', count, ['B', 'H'])
    rules.dtype('to', to, from.dtype)
    rules.dtype('count', count, 'i32')
    if (kept) {
      rules.with(size).match('kept', kept, ['B', 'H', 'budget'])
      rules.dtype('kept', kept, 'i32')
    }
    return {}
  },
  scalars: () => [],
  reference: moveSlotsRef,
}
