import type { DType } from '../../dtype.ts'
import type { OpCase, OpCases } from '../../op-case.ts'

type Attrs = { readonly dtype: DType }

const at = (shape: readonly number[], from: DType, to: DType): OpCase<Attrs> => ({
  name: `[${shape.join(', ')}] ${from} to ${to}`,
  inputs: {
    x: {
      dtype: from,
      shape,
      strided: true,
      fill: (_, random) => (from === 'i32' ? random.int(-(2 ** 31), 2 ** 31 - 1) : 3 * random.normal()),
    },
  },
  attrs: { dtype: to },
})

const floats = ['f32', 'bf16', 'f16', 'f8'] as const

export const copyCases: OpCases<Attrs> = {
  cases: [
    at([3], 'i32', 'i32'),
    at([0, 3], 'f32', 'bf16'),
    at([2, 3, 65], 'f32', 'f16'),
    at([2, 1, 2, 9], 'bf16', 'f32'),
    at([3, 37], 'f8', 'bf16'),
    at([3, 37], 'f32', 'f8'),
  ],
  fuzz: (random) =>
    at(
      Array.from({ length: random.int(1, 5) }, () => random.int(0, 7)),
      floats[random.int(0, 3)]!,
      floats[random.int(0, 3)]!,
    ),
}
