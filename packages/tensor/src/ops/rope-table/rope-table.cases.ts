import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = { readonly scale: number }

const at = (sequences: number, each: number, half: number, scale = 1): OpCase<Attrs> => ({
  name: `${sequences}×${each} positions, ${half} pairs, scale ${scale}`,
  inputs: {
    positions: { dtype: 'i32', shape: [sequences * each], fill: (_, random) => random.int(0, 1_000_000) },
    invFreq: { dtype: 'f32', shape: [sequences, half], fill: (index) => 10_000 ** (-(index % half) / half) },
  },
  attrs: { scale },
})

export const ropeTableCases: OpCases<Attrs> = {
  cases: [at(1, 1, 1), at(1, 0, 4), at(3, 2, 16, 1.19), at(1, 7, 64)],
  fuzz: (random) => at(random.int(1, 4), random.int(0, 6), random.int(1, 70), random.next() + 0.5),
}
