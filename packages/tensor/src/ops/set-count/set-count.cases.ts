import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = { readonly value: number }

const at = (B: number, H: number, value: number): OpCase<Attrs> => ({
  name: `[${B}, ${H}] to ${value}`,
  inputs: { count: { dtype: 'i32', shape: [B, H], fill: (i) => i + 3, strided: true } },
  attrs: { value },
})

export const setCountCases: OpCases<Attrs> = {
  cases: [at(1, 1, 0), at(3, 8, 0), at(2, 2, -1), at(0, 4, 7)],
  fuzz: (random) => at(random.int(0, 3), random.int(1, 9), random.int(-1, 100)),
}
