import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { rmsNormRef } from './rms-norm.ref.ts'

const rules = new ShapeRules('rmsNorm')

export type RmsNormSlots = { readonly x: 'in'; readonly weight: 'in' }

/**
 * Root-mean-square normalisation over the last axis: `x / sqrt(mean(x²) + eps) · weight`.
 * - x [N, C] f32, rows may be strided
 * - weight [C] f32 | bf16 | f16 | f8
 * - out [N, C] f32; sums are taken in f32
 * @throws TRIMKV_SHAPE when weight.length != C
 */
export const rmsNorm: Op<RmsNormSlots, { readonly eps: number }, 'out'> = {
  name: 'rmsNorm',
  source: 'Zhang & Sennrich 2019 (arXiv:1910.07467); HF transformers modeling_qwen3.py, Qwen3RMSNorm',
  slots: { x: 'in', weight: 'in' },
  outputs: ['out'],
  infer({ x, weight }, { eps }) {
    const { N, C } = rules.match<'N' | 'C'>('x', x, ['N', 'C'])
    rules.match('weight', weight, [C])
    rules.dtype('x', x, 'f32')
    rules.dtype('weight', weight, ...floatDtypes)
    rules.option(eps > 0 && Number.isFinite(eps), `eps must be a positive number, got ${eps}`)
    return { out: { dtype: 'f32', shape: [N, C] } }
  },
  scalars: ({ eps }) => [eps],
  reference: rmsNormRef,
  cost: ({ x }) => ({ flops: 4 * x.shape[0]! * x.shape[1]!, bytes: 8 * x.shape[0]! * x.shape[1]! }),
}
