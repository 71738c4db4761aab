import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = Record<never, never>

const at = (rows: number, columns: number): OpCase<Attrs> => ({
  name: `[${rows}, ${columns}]`,
  inputs: { x: { dtype: 'f32', shape: [rows, columns], strided: true } },
  attrs: {},
})

export const sumRowsCases: OpCases<Attrs> = {
  cases: [at(1, 1), at(0, 8), at(3, 0), at(3, 64), at(130, 33), at(517, 9)],
  fuzz: (random) => at(random.int(0, 9) === 0 ? random.int(60, 400) : random.int(0, 20), random.int(0, 90)),
  bench: [at(8192, 192), at(2048, 1024)],
}
