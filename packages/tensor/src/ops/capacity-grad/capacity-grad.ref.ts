import { documentStarts } from '../../document-starts.ts'
import type { RefArray } from '../../op.ts'
import { capacityScale } from '../capacity/capacity.ref.ts'
import type { CapacityAttrs } from '../capacity/capacity.ts'

interface Inputs {
  readonly occupancy: RefArray
  readonly start?: RefArray | undefined
  readonly active: RefArray
  readonly dLoss: RefArray
}

export function capacityGradRef(
  { occupancy, start, active, dLoss }: Inputs,
  { out }: { readonly out: RefArray },
  attrs: CapacityAttrs,
): void {
  const { budget, scope, form } = attrs
  const [batch, length, heads] = occupancy.shape as [number, number, number]
  const starts = documentStarts('capacityGrad', start, [batch, length])
  const [held, width] = scope === 'global' ? [heads, 1] : [1, heads]
  const terms = form === 'code' ? active.data[0]! : batch * length * width
  if (terms === 0) return
  for (let n = 0; n < batch * length; n++) {
    const position = (n % length) - starts[n]!
    const scale = capacityScale(position, held, attrs)
    for (let x = 0; x < width; x++) {
      const from = n * heads + x
      const tokens = occupancy.data.subarray(from, from + held).reduce((a, b) => a + b, 0)
      if (tokens > budget * held) out.data.fill(dLoss.data[0]! / terms / scale, from, from + held)
    }
  }
}
