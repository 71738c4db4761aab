import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const weights = ['f32', 'bf16', 'f16', 'f8'] as const

interface Size {
  readonly rows: number
  readonly columns: number
  readonly depth: number
  readonly weight?: (typeof weights)[number]
}

const at = ({ rows, columns, depth, weight = 'f32' }: Size): OpCase<Attrs> => ({
  name: `[${rows}, ${columns}] · [${columns}, ${depth}] ${weight}`,
  inputs: {
    dy: { dtype: 'f32', shape: [rows, columns], strided: true },
    weight: { dtype: weight, shape: [columns, depth] },
  },
  attrs: {},
})

export const linearGradInputCases: OpCases<Attrs> = {
  cases: [
    at({ rows: 1, columns: 1, depth: 1 }),
    at({ rows: 0, columns: 3, depth: 8 }),
    at({ rows: 2, columns: 0, depth: 3 }),
    at({ rows: 2, columns: 3, depth: 0, weight: 'bf16' }),
    at({ rows: 13, columns: 17, depth: 33, weight: 'bf16' }),
    at({ rows: 7, columns: 515, depth: 50, weight: 'f16' }),
    at({ rows: 530, columns: 70, depth: 150 }),
  ],
  fuzz: (random) =>
    at({
      rows: random.int(0, 40),
      columns: random.int(0, 9) === 0 ? random.int(250, 600) : random.int(1, 60),
      depth: random.int(0, 70),
      weight: weights[random.int(0, 3)]!,
    }),
  bench: [
    at({ rows: 4096, columns: 576, depth: 192 }),
    at({ rows: 2048, columns: 1024, depth: 1024 }),
    at({ rows: 512, columns: 3072, depth: 1024, weight: 'bf16' }),
  ],
}
