import type { OpCase, OpCases } from '../../op-case.ts'
import type { HeadDotAttrs } from './head-dot.ts'

const at = (shape: readonly [number, number, number, number], scale: number): OpCase<HeadDotAttrs> => ({
  name: `[${shape.join(', ')}] times ${scale}`,
  inputs: {
    k: { dtype: 'f32', shape, strided: 3 },
    direction: { dtype: 'f32', shape: [shape[2], shape[3]], strided: 1 },
  },
  attrs: { scale },
})

export const headDotCases: OpCases<HeadDotAttrs> = {
  cases: [at([1, 1, 1, 1], 1), at([2, 0, 3, 8], -1), at([2, 5, 3, 128], -1), at([1, 2, 2, 9], 0.5)],
  fuzz: (random) => at([random.int(1, 3), random.int(0, 9), random.int(1, 5), random.int(1, 140)], -1),
}
