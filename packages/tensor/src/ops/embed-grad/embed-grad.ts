import type { Op } from '../../op.ts'
import { ShapeRules } from '../../shape-rules.ts'
import { embedGradRef } from './embed-grad.ref.ts'

const rules = new ShapeRules('embedGrad')

export type EmbedGradSlots = { readonly ids: 'in'; readonly dy: 'in' }
/** `rows`: V, the rows of the table. */
export type EmbedGradAttrs = { readonly rows: number }

/**
 * Gradient of `embed` with respect to its table, from that of its output: row v is the sum of dy over the n with
 * `ids[n] = v`, added in order of n.
 * - ids [N] i32; dy [N, C] f32, rows may be strided
 * - out [V, C] f32
 * @throws TRIMKV_OPTION unless rows is a positive integer; TRIMKV_TOKEN_RANGE at run time for an id outside 0 … V−1
 */
export const embedGrad: Op<EmbedGradSlots, EmbedGradAttrs, 'out'> = {
  name: 'embedGrad',
  source: 'derivative of torch.nn.Embedding',
  slots: { ids: 'in', dy: 'in' },
  outputs: ['out'],
  infer({ ids, dy }, { rows }) {
    const { N } = rules.match<'N'>('ids', ids, ['N'])
    const { C } = rules.match<'C'>('dy', dy, [N, 'C'])
    rules.dtype('ids', ids, 'i32')
    rules.dtype('dy', dy, 'f32')
    rules.option(Number.isSafeInteger(rows) && rows > 0, `rows must be a positive integer, got ${rows}`)
    return { out: { dtype: 'f32', shape: [rows, C] } }
  },
  scalars: ({ rows }) => [rows],
  reference: embedGradRef,
  cost: ({ dy }, { rows }) => ({
    flops: dy.shape[0]! * dy.shape[1]!,
    bytes: 4 * (dy.shape[0]! + rows) * dy.shape[1]!,
  }),
}
