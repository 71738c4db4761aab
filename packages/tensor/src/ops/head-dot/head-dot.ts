import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { headDotRef } from './head-dot.ref.ts'

const rules = new ShapeRules('headDot')

export type HeadDotSlots = { readonly k: 'in'; readonly direction: 'in' }

export interface HeadDotAttrs {
  readonly scale: number
}

/**
 * How far each new key points along a direction of its head: scale · direction · key.
 * - k [B, C, H, D] f32, outer axes may be strided; direction [H, D] f32
 * - out [B, C, H] f32
 */
export const headDot: Op<HeadDotSlots, HeadDotAttrs, 'out'> = {
  name: 'headDot',
  source: 'Q-Filters (arXiv:2503.02812)',
  slots: { k: 'in', direction: 'in' },
  outputs: ['out'],
  infer({ k, direction }, { scale }) {
    const { B, C, H, D } = rules.match<'B' | 'C' | 'H' | 'D'>('k', k, ['B', 'C', 'H', 'D'])
    rules.match('direction', direction, [H, D])
    rules.dtype('k', k, 'f32')
    rules.dtype('direction', direction, 'f32')
    rules.option(Number.isFinite(scale), `scale must be a finite number, got ${scale}`)
    return { out: { dtype: 'f32', shape: [B, C, H] } }
  },
  scalars: ({ scale }) => [scale],
  reference: headDotRef,
}
