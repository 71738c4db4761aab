import { fail } from '../../errors.ts'
import type { RefArray } from '../../op.ts'

export function embedGradRef(
  { ids, dy }: { readonly ids: RefArray; readonly dy: RefArray },
  { out }: { readonly out: RefArray },
): void {
  const [vocabulary, width] = out.shape as [number, number]
  for (let n = 0; n < ids.data.length; n++) {
    const id = ids.data[n]!
    if (id < 0 || id >= vocabulary)
      fail('TRIMKV_TOKEN_RANGE', `[embedGrad] id ${id} is outside 0…${vocabulary - 1}`)
    for (let c = 0; c < width; c++) out.data[id * width + c]! += dy.data[n * width + c]!
  }
}
