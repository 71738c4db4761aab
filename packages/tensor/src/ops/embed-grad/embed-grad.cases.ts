import type { OpCase, OpCases } from '../../op-case.ts'
import type { EmbedGradAttrs } from './embed-grad.ts'

const at = (count: number, rows: number, width: number): OpCase<EmbedGradAttrs> => ({
  name: `${count} ids of [${rows}, ${width}]`,
  inputs: {
    ids: { dtype: 'i32', shape: [count], fill: (_, random) => random.int(0, rows - 1) },
    dy: { dtype: 'f32', shape: [count, width], strided: true },
  },
  attrs: { rows },
})

export const embedGradCases: OpCases<EmbedGradAttrs> = {
  cases: [at(1, 1, 1), at(0, 5, 7), at(4, 9, 64), at(50, 3, 33), at(9, 4, 300)],
  fuzz: (random) => at(random.int(0, 20), random.int(1, 50), random.int(1, 90)),
  bench: [at(8192, 600, 256)],
}
