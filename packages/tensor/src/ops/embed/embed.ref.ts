import { fail } from '../../errors.ts'
import type { RefArray } from '../../op.ts'

export function embedRef(
  { table, ids }: { readonly table: RefArray; readonly ids: RefArray },
  { out }: { readonly out: RefArray },
): void {
  const [vocabulary, width] = table.shape as [number, number]
  for (let n = 0; n < ids.data.length; n++) {
    const id = ids.data[n]!
    if (id < 0 || id >= vocabulary)
      fail('TRIMKV_TOKEN_RANGE', `[embed] id ${id} is outside 0…${vocabulary - 1}`)
    for (let c = 0; c < width; c++) out.data[n * width + c] = table.data[id * width + c]!
  }
}
