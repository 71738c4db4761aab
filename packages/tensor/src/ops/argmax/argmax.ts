import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { argmaxRef } from './argmax.ref.ts'

const rules = new ShapeRules('argmax')

export type ArgmaxSlots = { readonly x: 'in' }

/**
 * Index of the largest element of each row: the smallest one on ties; NaN never wins (0 when all are NaN).
 * - x [N, V] f32, rows may be strided; out [N] i32
 */
export const argmax: Op<ArgmaxSlots, Record<never, never>, 'out'> = {
  name: 'argmax',
  source: 'numpy.argmax, but for NaN',
  slots: { x: 'in' },
  outputs: ['out'],
  infer({ x }) {
    const { N, V } = rules.match<'N' | 'V'>('x', x, ['N', 'V'])
    rules.dtype('x', x, 'f32')
    rules.shape(V > 0, 'rows are empty')
    return { out: { dtype: 'i32', shape: [N] } }
  },
  scalars: () => [],
  reference: argmaxRef,
}
