import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { ropeRef } from './rope.ref.ts'

const rules = new ShapeRules('rope')

export type RopeSlots = { readonly x: 'in'; readonly table: 'in' }
/** `inverse`: rotate by the negative angles. */
export type RopeAttrs = { readonly inverse: boolean }

/**
 * Rotary embedding of the first R of D dimensions, pairs `(i, i + R/2)`; the rest is copied.
 * - x [N, H, D] f32, rows may be strided; table [N, R] f32 from {@link ropeTable}, R even and ≤ D
 * - out [N, H, D] f32
 *
 * `inverse` applies the transposed map: it undoes a rotation, and it is the gradient of the other direction.
 */
export const rope: Op<RopeSlots, RopeAttrs, 'out'> = {
  name: 'rope',
  source: 'Su et al. 2021 (arXiv:2104.09864); HF transformers modeling_llama.py, rotate_half',
  slots: { x: 'in', table: 'in' },
  outputs: ['out'],
  infer({ x, table }) {
    const { N, H, D } = rules.match<'N' | 'H' | 'D'>('x', x, ['N', 'H', 'D'])
    const { R } = rules.match<'R'>('table', table, [N, 'R'])
    rules.dtype('x', x, 'f32')
    rules.dtype('table', table, 'f32')
    rules.shape(R % 2 === 0 && R <= D, `${R} rotary dimensions do not fit a head of ${D}`)
    return { out: { dtype: 'f32', shape: [N, H, D] } }
  },
  scalars: ({ inverse }) => [Number(inverse)],
  reference: ropeRef,
}
