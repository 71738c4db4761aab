import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (B: number, C: number, size: { readonly H: number; readonly cap: number }): OpCase<Attrs> => ({
  name: `B${B} C${C} H${size.H} cap${size.cap}`,
  inputs: {
    values: { dtype: 'f32', shape: [B, C, size.H], strided: 2 },
    slots: {
      dtype: 'i32',
      shape: [B, C, size.H],
      // Distinct within a head: tokens in reverse order, shifted where there is room.
      fill: (i) => C - 1 - (Math.floor(i / size.H) % C) + Math.min(i % size.H, size.cap - C),
    },
    column: { dtype: 'f32', shape: [B, size.H, size.cap], strided: 2 },
  },
  attrs: {},
})

export const columnAppendCases: OpCases<Attrs> = {
  cases: [at(1, 1, { H: 1, cap: 1 }), at(2, 0, { H: 3, cap: 9 }), at(3, 7, { H: 2, cap: 40 })],
  fuzz: (random) => {
    const C = random.int(0, 40)
    return at(random.int(1, 3), C, { H: random.int(1, 5), cap: C + random.int(1, 20) })
  },
}
