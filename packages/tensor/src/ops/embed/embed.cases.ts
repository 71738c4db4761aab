import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

type Table = 'f32' | 'bf16' | 'f16' | 'f8' | 'q8' | 'q4'

const at = (
  count: number,
  [vocabulary, width]: readonly [number, number],
  dtype: Table = 'f32',
): OpCase<Attrs> => ({
  name: `${count} ids of [${vocabulary}, ${width}] ${dtype}`,
  inputs: {
    table: { dtype, shape: [vocabulary, width] },
    ids: { dtype: 'i32', shape: [count], fill: (_, random) => random.int(0, vocabulary - 1) },
  },
  attrs: {},
})

const tables = ['f32', 'bf16', 'f16', 'f8', 'q8', 'q4'] as const

export const embedCases: OpCases<Attrs> = {
  cases: [
    at(1, [1, 1]),
    at(0, [5, 7]),
    at(4, [9, 64], 'bf16'),
    at(6, [3, 33], 'f16'),
    at(5, [19, 96], 'q8'),
    at(7, [33, 64], 'q4'),
  ],
  fuzz(random) {
    const table = tables[random.int(0, 5)]!
    const width = random.int(1, 90)
    return at(
      random.int(0, 20),
      [random.int(1, 50), table[0] === 'q' ? 32 * Math.ceil(width / 32) : width],
      table,
    )
  },
}
