import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { sumRowsRef } from './sum-rows.ref.ts'

const rules = new ShapeRules('sumRows')

export type SumRowsSlots = { readonly x: 'in' }

/**
 * Sum over the rows: `out_c = Σ_n x_nc`; the gradient of a vector that was added to every row.
 * - x [N, C] f32, rows may be strided
 * - out [C] f32; N is cut into blocks of fixed size, each summed in f32, and their sums are added in order
 */
export const sumRows: Op<SumRowsSlots, Record<never, never>, 'out'> = {
  name: 'sumRows',
  source: 'torch.sum(x, dim=0); torch.nn.Linear, gradient of y = x Aᵀ + b with respect to b',
  slots: { x: 'in' },
  outputs: ['out'],
  infer({ x }) {
    const { C } = rules.match<'N' | 'C'>('x', x, ['N', 'C'])
    rules.dtype('x', x, 'f32')
    return { out: { dtype: 'f32', shape: [C] } }
  },
  scalars: () => [],
  reference: sumRowsRef,
  cost({ x }) {
    const [rows, columns] = x.shape as [number, number]
    return { flops: rows * columns, bytes: 4 * (rows + 1) * columns }
  },
}
