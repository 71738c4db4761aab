import { documentStarts } from '../../document-starts.ts'
import type { RefArray } from '../../op.ts'

export function occupancyRef(
  { logBeta, start }: { readonly logBeta: RefArray; readonly start?: RefArray | undefined },
  { out }: { readonly out: RefArray },
): void {
  const [batch, length, heads] = logBeta.shape as [number, number, number]
  const starts = documentStarts('occupancy', start, [batch, length])
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < length; t++) {
      for (let i = starts[b * length + t]!; i <= t; i++) {
        for (let h = 0; h < heads; h++) {
          const x = logBeta.data[(b * length + i) * heads + h]!
          out.data[(b * length + t) * heads + h]! += i === t ? 1 : Math.exp((t - i) * x)
        }
      }
    }
  }
}
