import type { RefArray } from '../../op.ts'

export function swigluGradRef(
  { gate, up, dy }: { readonly gate: RefArray; readonly up: RefArray; readonly dy: RefArray },
  { dGate, dUp }: { readonly dGate: RefArray; readonly dUp: RefArray },
): void {
  for (let i = 0; i < dGate.data.length; i++) {
    const g = gate.data[i]!
    const s = 1 / (1 + Math.exp(-g))
    dGate.data[i] = dy.data[i]! * up.data[i]! * s * (1 + g * (1 - s))
    dUp.data[i] = dy.data[i]! * g * s
  }
}
