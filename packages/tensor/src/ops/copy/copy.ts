import type { DType } from '../../dtype.ts'
import { dtypes } from '../../dtype.ts'
import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { copyRef } from './copy.ref.ts'

const rules = new ShapeRules('copy')

export type CopySlots = { readonly x: 'in' }

/**
 * A contiguous copy, converted to `dtype`; narrowing rounds to nearest even.
 * - x of any shape and strides, f32 | bf16 | f16 | f8, or i32 → i32; out of the same shape
 * @throws TRIMKV_DTYPE between i32 and a float dtype
 */
export const copy: Op<CopySlots, { readonly dtype: DType }, 'out'> = {
  name: 'copy',
  source: 'IEEE 754-2019 §4.3.1, roundTiesToEven',
  slots: { x: 'in' },
  outputs: ['out'],
  infer({ x }, { dtype }) {
    rules.dtype('x', x, ...(dtype === 'i32' ? (['i32'] as const) : (['f32', 'bf16', 'f16', 'f8'] as const)))
    return { out: { dtype, shape: [...x.shape] } }
  },
  scalars: ({ dtype }) => [dtypes[dtype].id],
  reference: copyRef,
}
