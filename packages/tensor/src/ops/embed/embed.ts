import type { Op } from '../../op.ts'
import { ShapeRules, weightDtypes } from '../../shape-rules.ts'
import { embedRef } from './embed.ref.ts'

const rules = new ShapeRules('embed')

export type EmbedSlots = { readonly table: 'in'; readonly ids: 'in' }

/**
 * Rows of a table by id.
 * - table [V, C] f32 | bf16 | f16 | f8 | q8 | q4; ids [N] i32
 * - out [N, C] f32
 * @throws TRIMKV_TOKEN_RANGE at run time for an id outside 0 … V−1
 */
export const embed: Op<EmbedSlots, Record<never, never>, 'out'> = {
  name: 'embed',
  source: 'HF transformers, torch.nn.Embedding',
  slots: { table: 'in', ids: 'in' },
  outputs: ['out'],
  infer({ table, ids }) {
    const { C } = rules.match<'V' | 'C'>('table', table, ['V', 'C'])
    const { N } = rules.match<'N'>('ids', ids, ['N'])
    rules.dtype('table', table, ...weightDtypes)
    rules.dtype('ids', ids, 'i32')
    return { out: { dtype: 'f32', shape: [N, C] } }
  },
  scalars: () => [],
  reference: embedRef,
  cost: ({ table, ids }) => ({ flops: 0, bytes: 8 * ids.shape[0]! * table.shape[1]! }),
}
