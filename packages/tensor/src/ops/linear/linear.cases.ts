import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>
type Float = 'f32' | 'bf16' | 'f16' | 'f8'
type Weight = Float | 'q8' | 'q4'

interface Size {
  readonly rows: number
  readonly depth: number
  readonly columns: number
  readonly weight?: Weight
  readonly bias?: Float
  readonly residual?: boolean
}

const at = ({ rows, depth, columns, weight = 'f32', bias, residual = false }: Size): OpCase<Attrs> => ({
  name: `[${rows}, ${depth}] · [${columns}, ${depth}]ᵀ ${weight}${bias ? ` + bias ${bias}` : ''}${residual ? ' + residual' : ''}`,
  inputs: {
    x: { dtype: 'f32', shape: [rows, depth], strided: true },
    weight: { dtype: weight, shape: [columns, depth] },
    ...(bias ? { bias: { dtype: bias, shape: [columns] } } : {}),
    ...(residual ? { residual: { dtype: 'f32', shape: [rows, columns], strided: true } } : {}),
  },
  attrs: {},
})

const floats = ['f32', 'bf16', 'f16', 'f8'] as const
const quantised = ['q8', 'q4'] as const

export const linearCases: OpCases<Attrs> = {
  cases: [
    at({ rows: 1, depth: 1, columns: 1 }),
    at({ rows: 0, depth: 8, columns: 3 }),
    at({ rows: 2, depth: 0, columns: 3, bias: 'f32' }),
    at({ rows: 1, depth: 1027, columns: 17, weight: 'bf16', residual: true }),
    at({ rows: 9, depth: 515, columns: 50, weight: 'f16', bias: 'bf16' }),
    at({ rows: 131, depth: 64, columns: 13, weight: 'bf16', bias: 'f16', residual: true }),
    at({ rows: 37, depth: 2100, columns: 53, weight: 'f16', bias: 'f32', residual: true }),
    at({ rows: 0, depth: 32, columns: 16, weight: 'q8' }),
    at({ rows: 1, depth: 32, columns: 1, weight: 'q4', bias: 'f32' }),
    at({ rows: 1, depth: 1056, columns: 17, weight: 'q8', residual: true }),
    at({ rows: 1, depth: 1024, columns: 320, weight: 'q4' }),
    at({ rows: 9, depth: 512, columns: 50, weight: 'q4', bias: 'bf16' }),
    at({ rows: 137, depth: 64, columns: 213, weight: 'q8', bias: 'f16', residual: true }),
  ],
  fuzz(random) {
    const depth = random.int(0, 9) === 0 ? random.int(500, 1100) : random.int(0, 70)
    const packed = random.next() < 0.4
    return at({
      rows: random.int(0, 40),
      depth: packed ? 32 + 32 * (depth >> 5) : depth,
      columns: random.int(1, 60),
      weight: packed ? quantised[random.int(0, 1)]! : floats[random.int(0, 3)]!,
      ...(random.next() < 0.4 ? { bias: floats[random.int(0, 3)]! } : {}),
      residual: random.next() < 0.4,
    })
  },
  bench: [
    ...(['bf16', 'q8', 'q4'] as const).flatMap((weight) =>
      [1, 8, 512].map((rows) => at({ rows, depth: 1024, columns: 3072, weight })),
    ),
  ],
}
