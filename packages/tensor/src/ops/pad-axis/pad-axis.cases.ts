import type { OpCase, OpCases } from '../../op-case.ts'
import type { PadAxisAttrs } from './pad-axis.ts'

const at = (shape: readonly number[], attrs: PadAxisAttrs): OpCase<PadAxisAttrs> => ({
  name: `[${shape.join(', ')}] axis ${attrs.axis}: ${attrs.before} + ${attrs.after}`,
  inputs: { x: { dtype: 'f32', shape } },
  attrs,
})

export const padAxisCases: OpCases<PadAxisAttrs> = {
  cases: [
    at([1], { axis: 0, before: 0, after: 0 }),
    at([0, 3], { axis: 0, before: 2, after: 1 }),
    at([3, 0], { axis: 0, before: 2, after: 1 }),
    at([2, 3], { axis: 1, before: 1, after: 0 }),
    at([2, 3, 1, 2, 3], { axis: 2, before: 2, after: 3 }),
    at([70, 100], { axis: 1, before: 200, after: 33 }),
    at([2, 9000], { axis: 0, before: 1, after: 2 }),
  ],
  fuzz: (random) => {
    const shape = Array.from({ length: random.int(1, 5) }, () => random.int(0, 6))
    const axis = random.int(0, shape.length - 1)
    return at(shape, { axis, before: random.int(0, 4), after: random.int(0, 4) })
  },
  bench: [at([4096, 256], { axis: 1, before: 256, after: 256 })],
}
