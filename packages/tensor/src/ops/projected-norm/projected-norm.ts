import { dtypeBytes } from '../../dtype.ts'
import type { Op } from '../../op.ts'
import { ShapeRules, weightDtypes } from '../../shape-rules.ts'
import { projectedNormRef } from './projected-norm.ref.ts'

const rules = new ShapeRules('projectedNorm')

export type ProjectedNormSlots = { readonly v: 'in'; readonly weight: 'in' }

/**
 * How much a value moves the output of its layer: ‖W_q v‖₁, the mean over the query heads q of its group, where W_q are
 * the columns of the output projection that read head q.
 * - v [B, C, H, D] f32, outer axes may be strided
 * - weight [E, Hq · D] f32 | bf16 | f16 | f8, rows may be strided, or q8 | q4; H divides Hq
 * - out [B, C, H] f32; each norm is summed in f64. Unlike in `linear`, v is not rounded for a quantised weight.
 */
export const projectedNorm: Op<ProjectedNormSlots, Record<never, never>, 'out'> = {
  name: 'projectedNorm',
  source: 'CriticalKV (arXiv:2502.03805); kvpress criticalkv_press.py, vwl1norm',
  slots: { v: 'in', weight: 'in' },
  outputs: ['out'],
  infer({ v, weight }) {
    const { B, C, H, D } = rules.match<'B' | 'C' | 'H' | 'D'>('v', v, ['B', 'C', 'H', 'D'])
    const { width } = rules.match<'E' | 'width'>('weight', weight, ['E', 'width'])
    rules.shape(
      H > 0 && D > 0 && width > 0 && width % (H * D) === 0,
      `${width} columns of weight are not heads of ${D} in groups of ${H} key/value heads`,
    )
    rules.dtype('v', v, 'f32')
    rules.dtype('weight', weight, ...weightDtypes)
    return { out: { dtype: 'f32', shape: [B, C, H] } }
  },
  scalars: () => [],
  reference: projectedNormRef,
  cost({ v, weight }) {
    const [B, C] = v.shape as [number, number]
    const elements = weight.shape[0]! * weight.shape[1]!
    return { flops: 2 * B * C * elements, bytes: elements * dtypeBytes(weight.dtype) }
  },
}
