import type { Op } from '../../op.ts'
import { floatDtypes, ShapeRules } from '../../shape-rules.ts'
import { rmsNormGradInputRef } from './rms-norm-grad-input.ref.ts'

const rules = new ShapeRules('rmsNormGradInput')

export type RmsNormGradInputSlots = { readonly x: 'in'; readonly weight: 'in'; readonly dy: 'in' }

/**
 * Gradient of `rmsNorm` with respect to `x`, from that of its output: with r = 1 / sqrt(mean(x²) + eps) and
 * g = dy · weight, `r · (g − x · r² · mean(g · x))`.
 * - x, dy [N, C] f32, rows may be strided; weight [C] f32 | bf16 | f16 | f8
 * - out [N, C] f32; sums are taken in f32
 * @throws TRIMKV_SHAPE when weight.length != C
 */
export const rmsNormGradInput: Op<RmsNormGradInputSlots, { readonly eps: number }, 'out'> = {
  name: 'rmsNormGradInput',
  source: 'derivative of Zhang & Sennrich 2019 (arXiv:1910.07467)',
  slots: { x: 'in', weight: 'in', dy: 'in' },
  outputs: ['out'],
  infer({ x, weight, dy }, { eps }) {
    const { N, C } = rules.match<'N' | 'C'>('x', x, ['N', 'C'])
    rules.match('weight', weight, [C])
    rules.match('dy', dy, [N, C])
    rules.dtype('x', x, 'f32')
    rules.dtype('weight', weight, ...floatDtypes)
    rules.dtype('dy', dy, 'f32')
    rules.option(eps > 0 && Number.isFinite(eps), `eps must be a positive number, got ${eps}`)
    return { out: { dtype: 'f32', shape: [N, C] } }
  },
  scalars: ({ eps }) => [eps],
  reference: rmsNormGradInputRef,
  cost: ({ x }) => ({ flops: 8 * x.shape[0]! * x.shape[1]!, bytes: 12 * x.shape[0]! * x.shape[1]! }),
}
