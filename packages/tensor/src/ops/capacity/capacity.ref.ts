import { documentStarts } from '../../document-starts.ts'
import type { RefArray } from '../../op.ts'
import type { CapacityAttrs } from './capacity.ts'

/** What a term at this position in its document is divided by, where `held` heads share a budget. */
export function capacityScale(
  position: number,
  held: number,
  { budget, scope, form }: CapacityAttrs,
): number {
  if (form === 'code') return Math.max((position - budget) * held, 1)
  return scope === 'head' ? position + 1 : 1
}

export function capacityRef(
  { occupancy, start }: { readonly occupancy: RefArray; readonly start?: RefArray | undefined },
  { loss, active }: { readonly loss: RefArray; readonly active: RefArray },
  attrs: CapacityAttrs,
): void {
  const { budget, scope, form } = attrs
  const [batch, length, heads] = occupancy.shape as [number, number, number]
  const starts = documentStarts('capacity', start, [batch, length])
  // A global budget is that of one head which holds what all hold.
  const [held, width] = scope === 'global' ? [heads, 1] : [1, heads]
  let sum = 0
  let above = 0
  for (let n = 0; n < batch * length; n++) {
    const position = (n % length) - starts[n]!
    const scale = capacityScale(position, held, attrs)
    for (let x = 0; x < width; x++) {
      const from = n * heads + x
      const tokens = occupancy.data.subarray(from, from + held).reduce((a, b) => a + b, 0)
      const term = Math.max(0, (tokens - budget * held) / scale)
      sum += term
      if (!(term <= 0)) above++
    }
  }
  active.data[0] = above
  const terms = form === 'code' ? above : batch * length * width
  loss.data[0] = above > 0 ? sum / terms : 0
}
