import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { padAxisRef } from './pad-axis.ref.ts'

const rules = new ShapeRules('padAxis')

export type PadAxisSlots = { readonly x: 'in' }
/** `before`, `after`: zeros on either side of x along `axis`, in elements of that axis. */
export type PadAxisAttrs = { readonly axis: number; readonly before: number; readonly after: number }

const isCount = (n: number): boolean => Number.isSafeInteger(n) && n >= 0

/**
 * x inside zeros along one axis: the gradient of a slice.
 * - x of any rank ≥ 1, contiguous f32
 * - out f32, of the shape of x with `before + size + after` at `axis`
 * @throws TRIMKV_OPTION when x has no such axis, or a count is negative or no integer
 */
export const padAxis: Op<PadAxisSlots, PadAxisAttrs, 'out'> = {
  name: 'padAxis',
  source: 'torch.nn.functional.pad, constant 0; derivative of torch.narrow',
  slots: { x: 'in' },
  outputs: ['out'],
  infer({ x }, { axis, before, after }) {
    rules.dtype('x', x, 'f32')
    const size = x.shape[axis]
    rules.option(size !== undefined, `axis ${axis} of a tensor of rank ${x.shape.length}`)
    rules.option(isCount(before) && isCount(after), `before ${before}, after ${after}: counts are 0, 1, 2, …`)
    return { out: { dtype: 'f32', shape: x.shape.with(axis, before + size! + after) } }
  },
  scalars: ({ axis, before, after }) => [axis, before, after],
  reference: padAxisRef,
}
