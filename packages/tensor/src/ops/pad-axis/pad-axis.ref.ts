import type { RefArray } from '../../op.ts'
import type { PadAxisAttrs } from './pad-axis.ts'

export function padAxisRef(
  { x }: { readonly x: RefArray },
  { out }: { readonly out: RefArray },
  { axis, before }: PadAxisAttrs,
): void {
  const inner = x.shape.slice(axis + 1).reduce((product, size) => product * size, 1)
  const [size, padded] = [x.shape[axis]! * inner, out.shape[axis]! * inner]
  for (let i = 0; i < x.data.length; i++)
    out.data[Math.floor(i / size) * padded + before * inner + (i % size)] = x.data[i]!
}
