import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { accumulateRef } from './accumulate.ref.ts'

const rules = new ShapeRules('accumulate')

export type AccumulateSlots = { readonly into: 'inout'; readonly x: 'in' }
export type AccumulateAttrs = { readonly keep: number; readonly scale: number }

/**
 * `into = keep · into + scale · x`, element by element. With keep 0 the old values are not read.
 * - into, x f32 of one shape; all axes but the last may be strided
 */
export const accumulate: Op<AccumulateSlots, AccumulateAttrs, never> = {
  name: 'accumulate',
  source: 'torch.Tensor.add_, with a weight for the old value',
  slots: { into: 'inout', x: 'in' },
  outputs: [],
  infer({ into, x }, { keep, scale }) {
    rules.match('x', x, into.shape)
    rules.dtype('into', into, 'f32')
    rules.dtype('x', x, 'f32')
    rules.option(Number.isFinite(keep) && Number.isFinite(scale), 'keep and scale must be finite')
    return {}
  },
  scalars: ({ keep, scale }) => [keep, scale],
  reference: accumulateRef,
}
