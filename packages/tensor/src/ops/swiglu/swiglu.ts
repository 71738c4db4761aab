import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { swigluRef } from './swiglu.ref.ts'

const rules = new ShapeRules('swiglu')

export type SwigluSlots = { readonly gate: 'in'; readonly up: 'in' }

/**
 * `silu(gate) · up`, element by element.
 * - gate, up [N, F] f32, rows may be strided (halves of a fused projection); out [N, F] f32
 */
export const swiglu: Op<SwigluSlots, Record<never, never>, 'out'> = {
  name: 'swiglu',
  source: 'Shazeer 2020 (arXiv:2002.05202), SwiGLU; HF transformers modeling_qwen3.py, Qwen3MLP',
  slots: { gate: 'in', up: 'in' },
  outputs: ['out'],
  infer({ gate, up }) {
    const { N, F } = rules.match<'N' | 'F'>('gate', gate, ['N', 'F'])
    rules.match('up', up, [N, F])
    rules.dtype('gate', gate, 'f32')
    rules.dtype('up', up, 'f32')
    return { out: { dtype: 'f32', shape: [N, F] } }
  },
  scalars: () => [],
  reference: swigluRef,
  cost: ({ gate }) => ({
    flops: 5 * gate.shape[0]! * gate.shape[1]!,
    bytes: 12 * gate.shape[0]! * gate.shape[1]!,
  }),
}
