import type { DType } from '../../dtype.ts'
import type { Gradient } from '../../gradient.ts'
import type { CopySlots } from './copy.ts'

/** The gradient passes through: rounding to a narrower dtype is taken as the identity. */
export const copyGrad: Gradient<CopySlots, { readonly dtype: DType }, 'out'> = ({ grads }) => ({
  x: grads.out,
})
