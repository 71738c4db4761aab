import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

interface Size {
  readonly rows: number
  readonly columns: number
  readonly depth: number
}

const at = ({ rows, columns, depth }: Size): OpCase<Attrs> => ({
  name: `[${rows}, ${columns}]ᵀ · [${rows}, ${depth}]`,
  inputs: {
    dy: { dtype: 'f32', shape: [rows, columns], strided: true },
    x: { dtype: 'f32', shape: [rows, depth], strided: true },
  },
  attrs: {},
})

export const linearGradWeightCases: OpCases<Attrs> = {
  cases: [
    at({ rows: 1, columns: 1, depth: 1 }),
    at({ rows: 0, columns: 3, depth: 8 }),
    at({ rows: 2, columns: 0, depth: 3 }),
    at({ rows: 2, columns: 3, depth: 0 }),
    at({ rows: 33, columns: 13, depth: 17 }),
    at({ rows: 1030, columns: 7, depth: 50 }),
    at({ rows: 530, columns: 150, depth: 70 }),
  ],
  fuzz: (random) =>
    at({
      rows: random.int(0, 9) === 0 ? random.int(250, 600) : random.int(0, 60),
      columns: random.int(1, 60),
      depth: random.int(0, 70),
    }),
  bench: [
    at({ rows: 4096, columns: 576, depth: 192 }),
    at({ rows: 2048, columns: 1024, depth: 1024 }),
    at({ rows: 8192, columns: 64, depth: 256 }),
  ],
}
