import type { OpCase, OpCases } from '../../op-case.ts'
import type { RopeAttrs } from './rope.ts'

interface Size {
  readonly rows: number
  readonly heads: number
  readonly width: number
  readonly rotary: number
}

const at = ({ rows, heads, width, rotary }: Size, inverse = false): OpCase<RopeAttrs> => ({
  name: `[${rows}, ${heads}, ${width}] rotary ${rotary}${inverse ? ', inverse' : ''}`,
  inputs: {
    x: { dtype: 'f32', shape: [rows, heads, width], strided: true },
    table: { dtype: 'f32', shape: [rows, rotary] },
  },
  attrs: { inverse },
})

export const ropeCases: OpCases<RopeAttrs> = {
  cases: [
    at({ rows: 1, heads: 1, width: 2, rotary: 2 }),
    at({ rows: 0, heads: 2, width: 8, rotary: 8 }),
    at({ rows: 3, heads: 2, width: 96, rotary: 72 }),
    at({ rows: 5, heads: 4, width: 128, rotary: 128 }),
    at({ rows: 3, heads: 2, width: 96, rotary: 72 }, true),
  ],
  fuzz: (random) => {
    const half = random.int(1, 70)
    const size = {
      rows: random.int(0, 6),
      heads: random.int(1, 5),
      width: 2 * half + random.int(0, 9),
      rotary: 2 * half,
    }
    return at(size, random.next() < 0.5)
  },
}
