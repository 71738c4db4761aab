import { documentStarts } from '../../document-starts.ts'
import type { RefArray } from '../../op.ts'

interface Inputs {
  readonly logBeta: RefArray
  readonly start?: RefArray | undefined
  readonly dy: RefArray
}

export function occupancyGradRef({ logBeta, start, dy }: Inputs, { out }: { readonly out: RefArray }): void {
  const [batch, length, heads] = logBeta.shape as [number, number, number]
  const starts = documentStarts('occupancyGrad', start, [batch, length])
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t < length; t++) {
      for (let i = starts[b * length + t]!; i < t; i++) {
        for (let h = 0; h < heads; h++) {
          const column = (b * length + i) * heads + h
          const decayed = Math.exp((t - i) * logBeta.data[column]!)
          out.data[column]! += dy.data[(b * length + t) * heads + h]! * (t - i) * decayed
        }
      }
    }
  }
}
