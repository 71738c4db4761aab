import type { Gradient } from '../../gradient.ts'
import type { MixAttrs, MixSlots } from './mix.ts'

/** da = attrs.a · dy, db = attrs.b · dy. */
export const mixGrad: Gradient<MixSlots, MixAttrs, 'out'> = ({ ops, grads: { out: dy }, attrs, wants }) => {
  const times = (weight: number): typeof dy =>
    weight === 1 ? dy : ops.mix({ a: dy, b: dy }, { a: weight, b: 0 })
  return { a: wants('a') ? times(attrs.a) : undefined, b: wants('b') ? times(attrs.b) : undefined }
}
