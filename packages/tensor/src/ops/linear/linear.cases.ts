import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>
type Weight = 'f32' | 'bf16' | 'f16' | 'f8'

interface Size {
  readonly rows: number
  readonly depth: number
  readonly columns: number
  readonly weight?: Weight
  readonly bias?: Weight
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

const weights = ['f32', 'bf16', 'f16', 'f8'] as const

export const linearCases: OpCases<Attrs> = {
  cases: [
    at({ rows: 1, depth: 1, columns: 1 }),
    at({ rows: 0, depth: 8, columns: 3 }),
    at({ rows: 2, depth: 0, columns: 3, bias: 'f32' }),
    at({ rows: 1, depth: 1027, columns: 17, weight: 'bf16', residual: true }),
    at({ rows: 9, depth: 515, columns: 50, weight: 'f16', bias: 'bf16' }),
    at({ rows: 131, depth: 64, columns: 13, weight: 'bf16', bias: 'f16', residual: true }),
    at({ rows: 37, depth: 2100, columns: 53, weight: 'f16', bias: 'f32', residual: true }),
  ],
  fuzz: (random) =>
    at({
      rows: random.int(0, 40),
      depth: random.int(0, 9) === 0 ? random.int(500, 1100) : random.int(0, 70),
      columns: random.int(1, 60),
      weight: weights[random.int(0, 3)]!,
      ...(random.next() < 0.4 ? { bias: weights[random.int(0, 3)]! } : {}),
      residual: random.next() < 0.4,
    }),
  bench: [
    at({ rows: 1, depth: 1024, columns: 3072, weight: 'bf16' }),
    at({ rows: 8, depth: 1024, columns: 3072, weight: 'bf16' }),
    at({ rows: 512, depth: 1024, columns: 3072, weight: 'bf16' }),
  ],
}
