import type { OpCase, OpCases } from '../../op-case.ts'
import { columnInput, countInput } from '../../slot-case-inputs.ts'

type Attrs = Record<never, never>

function at(B: number, H: number, { n, cap }: { readonly n: number; readonly cap: number }): OpCase<Attrs> {
  const layout = { B, H, cap, counts: new Array<number>(B * H).fill(n), order: 'ascending' } as const
  return {
    name: `B${B} H${H} n${n} cap${cap}`,
    inputs: { scores: columnInput(layout), count: countInput(layout) },
    attrs: {},
  }
}

export const shareHeadsCases: OpCases<Attrs> = {
  cases: [at(1, 1, { n: 1, cap: 1 }), at(2, 3, { n: 0, cap: 5 }), at(2, 8, { n: 33, cap: 40 })],
  fuzz: (random) => {
    const cap = random.int(1, 90)
    return at(random.int(1, 3), random.int(1, 9), { n: random.int(0, cap), cap })
  },
}
