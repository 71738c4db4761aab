import type { RefArray } from '../../op.ts'

export function swigluRef(
  { gate, up }: { readonly gate: RefArray; readonly up: RefArray },
  { out }: { readonly out: RefArray },
): void {
  for (let i = 0; i < out.data.length; i++)
    out.data[i] = (gate.data[i]! / (1 + Math.exp(-gate.data[i]!))) * up.data[i]!
}
