import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = { readonly scale: number }

interface Size {
  readonly sequences: number
  readonly each: number
  readonly half: number
}

const at = ({ sequences, each, half }: Size, scale = 1): OpCase<Attrs> => ({
  name: `${sequences}×${each} positions, ${half} pairs, scale ${scale}`,
  inputs: {
    positions: { dtype: 'i32', shape: [sequences * each], fill: (_, random) => random.int(0, 1_000_000) },
    invFreq: { dtype: 'f32', shape: [sequences, half], fill: (index) => 10_000 ** (-(index % half) / half) },
  },
  attrs: { scale },
})

export const ropeTableCases: OpCases<Attrs> = {
  cases: [
    at({ sequences: 1, each: 1, half: 1 }),
    at({ sequences: 1, each: 0, half: 4 }),
    at({ sequences: 3, each: 2, half: 16 }, 1.19),
    at({ sequences: 1, each: 7, half: 64 }),
  ],
  fuzz: (random) => {
    const size = { sequences: random.int(1, 4), each: random.int(0, 6), half: random.int(1, 70) }
    return at(size, random.next() + 0.5)
  },
}
