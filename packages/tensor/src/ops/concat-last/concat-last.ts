import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { concatLastRef } from './concat-last.ref.ts'

const rules = new ShapeRules('concatLast')

export type ConcatLastSlots = { readonly a: 'in'; readonly b: 'in' }

/**
 * Joins two tensors along the last axis.
 * - a [N, H, D1], b [N, H, D2] f32, rows may be strided; out [N, H, D1 + D2] f32
 */
export const concatLast: Op<ConcatLastSlots, Record<never, never>, 'out'> = {
  name: 'concatLast',
  source: 'TRIM-KV code, gate input of rg2 and rg3: per KV head its key, then its value',
  slots: { a: 'in', b: 'in' },
  outputs: ['out'],
  infer({ a, b }) {
    const { N, H, D1 } = rules.match<'N' | 'H' | 'D1'>('a', a, ['N', 'H', 'D1'])
    const { D2 } = rules.match<'D2'>('b', b, [N, H, 'D2'])
    rules.dtype('a', a, 'f32')
    rules.dtype('b', b, 'f32')
    return { out: { dtype: 'f32', shape: [N, H, D1 + D2] } }
  },
  scalars: () => [],
  reference: concatLastRef,
}
