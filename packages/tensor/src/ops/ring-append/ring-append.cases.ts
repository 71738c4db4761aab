import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (
  B: number,
  C: number,
  size: { readonly Hq: number; readonly D: number; readonly w: number },
): OpCase<Attrs> => ({
  name: `B${B} C${C} Hq${size.Hq} D${size.D} w${size.w}`,
  inputs: {
    q: { dtype: 'f32', shape: [B, C, size.Hq, size.D], strided: 3 },
    index: { dtype: 'i32', shape: [B, C], fill: (i) => (i % C) + 11 * Math.floor(i / C) },
    ring: { dtype: 'f32', shape: [B, size.w, size.Hq, size.D], strided: 3 },
  },
  attrs: {},
})

export const ringAppendCases: OpCases<Attrs> = {
  cases: [
    at(1, 1, { Hq: 1, D: 1, w: 1 }),
    at(2, 1, { Hq: 4, D: 16, w: 8 }),
    at(2, 0, { Hq: 4, D: 16, w: 8 }),
    at(3, 21, { Hq: 2, D: 33, w: 8 }),
  ],
  fuzz: (random) =>
    at(random.int(1, 3), random.int(0, 40), {
      Hq: random.int(1, 6),
      D: random.int(1, 40),
      w: random.int(1, 20),
    }),
}
