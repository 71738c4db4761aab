import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { rmsNormGradWeightRef } from './rms-norm-grad-weight.ref.ts'

const rules = new ShapeRules('rmsNormGradWeight')

export type RmsNormGradWeightSlots = { readonly x: 'in'; readonly dy: 'in' }

/**
 * Gradient of `rmsNorm` with respect to `weight`, from that of its output: `Σ_n dy · x / sqrt(mean(x²) + eps)`.
 * - x, dy [N, C] f32, rows may be strided
 * - out [C] f32; rows are summed in blocks that depend on N and C alone, the blocks in order
 */
export const rmsNormGradWeight: Op<RmsNormGradWeightSlots, { readonly eps: number }, 'out'> = {
  name: 'rmsNormGradWeight',
  source: 'derivative of Zhang & Sennrich 2019 (arXiv:1910.07467)',
  slots: { x: 'in', dy: 'in' },
  outputs: ['out'],
  infer({ x, dy }, { eps }) {
    const { N, C } = rules.match<'N' | 'C'>('x', x, ['N', 'C'])
    rules.match('dy', dy, [N, C])
    rules.dtype('x', x, 'f32')
    rules.dtype('dy', dy, 'f32')
    rules.option(eps > 0 && Number.isFinite(eps), `eps must be a positive number, got ${eps}`)
    return { out: { dtype: 'f32', shape: [C] } }
  },
  scalars: ({ eps }) => [eps],
  reference: rmsNormGradWeightRef,
  cost: ({ x }) => ({ flops: 5 * x.shape[0]! * x.shape[1]!, bytes: 8 * x.shape[0]! * x.shape[1]! }),
}
