import type { Gradient } from '../../gradient.ts'
import type { EmbedSlots } from './embed.ts'

/** The gradient of a row of the table is the sum over the tokens that have its id. */
export const embedGrad: Gradient<EmbedSlots, Record<never, never>, 'out'> = ({
  ops,
  inputs,
  grads,
  wants,
}) => ({
  table: wants('table')
    ? ops.embedGrad({ ids: inputs.ids, dy: grads.out }, { rows: inputs.table.shape[0] as number })
    : undefined,
})
