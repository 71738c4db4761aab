import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { setCountRef } from './set-count.ref.ts'

const rules = new ShapeRules('setCount')

export type SetCountSlots = { readonly count: 'inout' }

/**
 * Sets every entry of a per-head table: 0 empties a cache, −1 forgets its victims.
 * - count [B, H] i32; value an integer ≥ −1
 */
export const setCount: Op<SetCountSlots, { readonly value: number }, never> = {
  name: 'setCount',
  source: 'cache bookkeeping',
  slots: { count: 'inout' },
  outputs: [],
  infer({ count }, { value }) {
    rules.match<'B' | 'H'>('count', count, ['B', 'H'])
    rules.dtype('count', count, 'i32')
    rules.option(
      Number.isInteger(value) && value >= -1 && value < 2 ** 31,
      `value must be an integer ≥ −1, got ${value}`,
    )
    return {}
  },
  scalars: ({ value }) => [value],
  reference: setCountRef,
}
