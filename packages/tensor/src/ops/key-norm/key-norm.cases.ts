import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = { readonly log: boolean }

const at = (shape: readonly number[], log: boolean, zero = false): OpCase<Attrs> => ({
  name: `[${shape.join(', ')}]${log ? ' log' : ''}${zero ? ' of zeros' : ''}`,
  inputs: { k: { dtype: 'f32', shape, strided: 3, ...(zero ? { fill: () => 0 } : {}) } },
  attrs: { log },
})

export const keyNormCases: OpCases<Attrs> = {
  cases: [
    at([1, 1, 1, 1], false),
    at([2, 0, 3, 8], false),
    at([2, 5, 3, 128], true),
    at([1, 2, 2, 9], true, true),
  ],
  fuzz: (random) =>
    at([random.int(1, 3), random.int(0, 9), random.int(1, 5), random.int(1, 140)], random.next() < 0.5),
}
