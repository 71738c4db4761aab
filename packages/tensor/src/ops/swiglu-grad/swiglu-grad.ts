import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { swigluGradRef } from './swiglu-grad.ref.ts'

const rules = new ShapeRules('swigluGrad')

export type SwigluGradSlots = { readonly gate: 'in'; readonly up: 'in'; readonly dy: 'in' }

/**
 * Gradients of `swiglu`, from that of its output: with s = sigmoid(gate),
 * `dGate = dy · up · s · (1 + gate · (1 − s))` and `dUp = dy · gate · s`.
 * - gate, up, dy [N, F] f32, rows may be strided
 * - dGate, dUp [N, F] f32
 */
export const swigluGrad: Op<SwigluGradSlots, Record<never, never>, 'dGate' | 'dUp'> = {
  name: 'swigluGrad',
  source: 'derivative of Shazeer 2020 (arXiv:2002.05202), SwiGLU',
  slots: { gate: 'in', up: 'in', dy: 'in' },
  outputs: ['dGate', 'dUp'],
  infer({ gate, up, dy }) {
    const { N, F } = rules.match<'N' | 'F'>('gate', gate, ['N', 'F'])
    rules.match('up', up, [N, F])
    rules.match('dy', dy, [N, F])
    rules.dtype('gate', gate, 'f32')
    rules.dtype('up', up, 'f32')
    rules.dtype('dy', dy, 'f32')
    const like = { dtype: 'f32', shape: [N, F] } as const
    return { dGate: like, dUp: like }
  },
  scalars: () => [],
  reference: swigluGradRef,
  cost: ({ gate }) => ({
    flops: 11 * gate.shape[0]! * gate.shape[1]!,
    bytes: 20 * gate.shape[0]! * gate.shape[1]!,
  }),
}
