import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { ropeTableRef } from './rope-table.ref.ts'

const rules = new ShapeRules('ropeTable')

export type RopeTableSlots = { readonly positions: 'in'; readonly invFreq: 'in' }

/**
 * Cosines and sines of rotary angles, once per forward for all layers and heads.
 * The angle is `position · invFreq` rounded to f32, as in torch.
 * - positions [N] i32; invFreq [F, R/2] f32: row `n` uses row `⌊n / (N/F)⌋`, so that sequences may differ
 * - out [N, R] f32: cosines in the first R/2 columns, sines in the rest, all times `scale`
 */
export const ropeTable: Op<RopeTableSlots, { readonly scale: number }, 'out'> = {
  name: 'ropeTable',
  source: 'Su et al. 2021 (arXiv:2104.09864); HF transformers modeling_rope_utils.py',
  slots: { positions: 'in', invFreq: 'in' },
  outputs: ['out'],
  infer({ positions, invFreq }, { scale }) {
    const { N } = rules.match<'N'>('positions', positions, ['N'])
    const { F, half } = rules.match<'F' | 'half'>('invFreq', invFreq, ['F', 'half'])
    rules.dtype('positions', positions, 'i32')
    rules.dtype('invFreq', invFreq, 'f32')
    rules.shape(F > 0 && N % F === 0, `${N} positions cannot be shared out over ${F} rows of invFreq`)
    rules.option(Number.isFinite(scale), `scale must be finite, got ${scale}`)
    return { out: { dtype: 'f32', shape: [N, 2 * half] } }
  },
  scalars: ({ scale }) => [scale],
  reference: ropeTableRef,
}
