import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { mixRef } from './mix.ref.ts'

const rules = new ShapeRules('mix')

export type MixSlots = { readonly a: 'in'; readonly b: 'in' }
export type MixAttrs = { readonly a: number; readonly b: number }

/**
 * Weighted sum `attrs.a · a + attrs.b · b`, element by element.
 * - a, b contiguous f32 of one shape; out of the same shape
 */
export const mix: Op<MixSlots, MixAttrs, 'out'> = {
  name: 'mix',
  source: 'R-KV (arXiv:2505.24133), joint score λ·I − (1−λ)·R',
  slots: { a: 'in', b: 'in' },
  outputs: ['out'],
  infer({ a, b }, attrs) {
    rules.match('b', b, a.shape)
    rules.dtype('a', a, 'f32')
    rules.dtype('b', b, 'f32')
    rules.option(Number.isFinite(attrs.a) && Number.isFinite(attrs.b), 'weights must be finite')
    return { out: { dtype: 'f32', shape: [...a.shape] } }
  },
  scalars: (attrs) => [attrs.a, attrs.b],
  reference: mixRef,
}
